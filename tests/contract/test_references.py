"""A reference is a URI reference: to a file, to a place of the document, to a `$id` or to an `$anchor`."""

import pytest

from accord.contract.document import Document, component_name
from accord.contract.errors import ContractError
from accord.contract.json_schemas import JsonSchemas
from tests.support.engine import echo, read, start

INTEGER = {"type": "integer"}
BASE = "https://schemas.example/"


def accepts(schema, value, **components):
    reply = echo(schema, components=components).post("/echo", value)
    return reply.status == 200


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("#/components/schemas/It/$defs/Caf%C3%A9", "Café"),
        ("#/components/schemas/It/$defs/Café", "Café"),
        ("#/components/schemas/It/%24defs/a~1b", "a/b"),
        ("#/components/schemas/It/%24defs/a%7E1b", "a/b"),
        ("#/components/schemas/It/%24defs/a~0b", "a~b"),
        ("#/components/schemas/It/%24defs/a~01b", "a~1b"),
        ("#/components/schemas/It/%24defs/a%20b", "a b"),
        ("#/components/schemas/It/%24defs/50%25", "50%"),
        ("#/components/schemas/It/%24defs/a%22b", 'a"b'),
    ],
)
def test_fragment_is_a_percent_encoded_json_pointer(reference, name):
    """The fragment is decoded first, and `~0` and `~1` after that (RFC 6901, section 6)."""
    components = {"It": {"$defs": {name: INTEGER}}}
    assert Document({"components": {"schemas": components}}).resolve({"$ref": reference}) == INTEGER
    schema = {"type": "array", "items": {"$ref": reference}}
    assert [accepts(schema, [value], **components) for value in (1, "x")] == [True, False]


def test_name_of_a_component_is_decoded():
    assert component_name({"$ref": "#/components/schemas/Product%2Ev2"}) == "Product.v2"
    assert component_name({"$ref": "#/components/schemas/Product/properties/id"}) is None


def test_index_of_a_list_has_no_leading_zero():
    document = Document({"tags": ["a", "b"]})
    assert document.resolve({"$ref": "#/tags/1"}) == "b"
    with pytest.raises(ContractError, match="#/tags/01 refers to nothing"):
        document.resolve({"$ref": "#/tags/01"})


def test_names_of_files_are_decoded_too():
    document = read(
        "a: {$ref: '../components/schemas/Caf%C3%A9%20au%20lait.yaml#/%24defs/x~1y'}",
        **{"components/schemas/Café au lait__yaml": "$defs: {x/y: {type: integer}}"},
    )
    assert document.raw["a"] == {"$ref": "#/components/schemas/Caf%C3%A9%20au%20lait/$defs/x~1y"}
    assert document.resolve(document.raw["a"]) == INTEGER


IDENTIFIED = {
    "anchor": {"$defs": {"x": {"$anchor": "here", **INTEGER}}, "properties": {"a": {"$ref": "#here"}}},
    "id and pointer": {"$id": f"{BASE}it", "$defs": {"n": INTEGER}, "properties": {"a": {"$ref": "#/$defs/n"}}},
    "id and anchor": {
        "$id": f"{BASE}it",
        "$defs": {"x": {"$anchor": "n", **INTEGER}},
        "properties": {"a": {"$ref": "#n"}},
    },
    "whole reference": {
        "$id": f"{BASE}it",
        "$defs": {"x": {"$anchor": "n", **INTEGER}},
        "properties": {"a": {"$ref": f"{BASE}it#n"}},
    },
    "relative id": {
        "$id": f"{BASE}it",
        "$defs": {"x": {"$id": "deep/n", **INTEGER}},
        "properties": {"a": {"$ref": "deep/n"}},
    },
    "relative to the inner id": {
        "$id": f"{BASE}it",
        "$defs": {"x": {"$id": "deep/n", "$ref": "m"}, "y": {"$id": "deep/m", **INTEGER}},
        "properties": {"a": {"$ref": "/deep/n"}},
    },
    "urn": {
        "$id": "urn:uuid:deadbeef-1234-0000-0000-4321feebdaed",
        "$defs": {"n": INTEGER},
        "properties": {"a": {"$ref": "urn:uuid:deadbeef-1234-0000-0000-4321feebdaed#/%24defs/n"}},
    },
    "itself": {"$id": f"{BASE}it", "properties": {"a": INTEGER, "b": {"$ref": "#"}}},
    "another component": {"properties": {"a": {"$ref": f"{BASE}other"}}},
    "anchor of another component": {"properties": {"a": {"$ref": "#n"}}},
    "anchor of two resources": {
        "$id": f"{BASE}it",
        "$defs": {"x": {"$anchor": "n", **INTEGER}, "y": {"$id": "y", "$anchor": "n", "type": "string"}},
        "properties": {"a": {"$ref": "#n"}},
    },
}
OTHER = {"$id": f"{BASE}other", **INTEGER}


@pytest.mark.parametrize("schema", IDENTIFIED.values(), ids=IDENTIFIED)
def test_identifiers_resolve_everywhere(schema):
    """JSON Schema Core, section 8.2: `$id` is the base of the references within it, and `$anchor` is a fragment."""
    components = {"It": schema, "Other": dict(OTHER), "Named": {"$anchor": "n", **INTEGER}}
    responses = {
        "200": {"description": "It.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/It"}}}}
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/It"}}}}
    raw = {
        "paths": {"/t": {"post": {"operationId": "t", "requestBody": body, "responses": responses}}},
        "components": {"schemas": _copy(components)},
    }
    engine = start(raw, {"t": lambda body=None: body})
    assert engine.post("/t", {"a": 1}).status == 200
    assert engine.post("/t", {"a": "x"}).errors == {("/a", "type")}
    published = Document(engine.get("/openapi.json").json)
    assert "$id" not in str(published.raw)
    validator = JsonSchemas(published).validator({"$ref": "#/components/schemas/It"}, "request")
    assert (validator.is_valid({"a": 1}), validator.is_valid({"a": "x"})) == (True, False)


def test_conversion_follows_anchors():
    date = {"$anchor": "day", "type": "string", "format": "date"}
    schemas = {"It": {"type": "object", "properties": {"on": {"$ref": "#day"}}}, "Day": date}
    document = Document({"components": {"schemas": schemas}})
    assert JsonSchemas(document).merge(schemas["It"]["properties"]["on"])["format"] == "date"


def test_example_is_validated_through_an_anchor():
    with pytest.raises(ContractError, match="does not match its schema at /a"):
        echo(
            {"properties": {"a": {"$ref": "#n"}}, "example": {"a": "x"}}, components={"N": {"$anchor": "n", **INTEGER}}
        )


def test_anchor_of_a_file_is_a_reference_to_its_place():
    document = read(
        "a: {$ref: '../components/schemas/Shapes.yaml#point'}",
        **{"components/schemas/Shapes__yaml": "$defs: {Point: {$anchor: point, type: integer}}"},
    )
    assert document.raw["a"] == {"$ref": "#/components/schemas/Shapes/$defs/Point"}


def test_reference_within_an_id_is_to_no_file():
    document = read(
        "a: {$ref: ../components/schemas/It.yaml}",
        **{
            "components/schemas/It__yaml": f"$id: {BASE}It.yaml\n$defs: {{N: {{$id: N.yaml, type: integer}}}}\n"
            "properties: {a: {$ref: N.yaml}}",
            "components/schemas/N__yaml": "type: string",
        },
    )
    assert document.resolve(document.raw["components"]["schemas"]["It"]["properties"]["a"]) == INTEGER


def test_members_and_values_with_these_names_are_left_alone():
    schema = {"properties": {"$id": {"type": "string"}, "$anchor": {"type": "integer"}}, "example": {"$id": "x"}}
    assert accepts(schema, {"$id": "x", "$anchor": 1})
    assert not accepts(schema, {"$id": 1})


REFUSED = {
    "remote": ({"$ref": f"{BASE}gone"}, f"{BASE}gone is in another document, and the engine reads files only; copy"),
    "remote fragment": ({"$ref": f"{BASE}gone#/a"}, f"{BASE}gone#/a is in another document"),
    "anchor": ({"$ref": "#gone"}, "#gone refers to nothing; correct the reference, or add the `.anchor`"),
    "pointer": ({"$ref": "#/components/schemas/Gone"}, "#/components/schemas/Gone refers to nothing"),
    "pointer in an id": ({"$id": f"{BASE}it", "properties": {"a": {"$ref": "#/gone"}}}, "/gone refers to nothing"),
    "same anchor": (
        {"$anchor": "x", "items": {"$anchor": "x"}},
        "#x is also the identifier of #/components/schemas/It",
    ),
    "same id": ({"$id": f"{BASE}x", "items": {"$id": "x"}}, f"{BASE}x is also the identifier of"),
    "id with a fragment": ({"$id": f"{BASE}x#y"}, "must have no fragment"),
    "anchor that is no name": ({"$anchor": "#x"}, "must be a name"),
    "id that is no URI": ({"$id": BASE, "items": {"$id": "http://[x"}}, "is no URI"),
    "the document": ({"$ref": "#"}, "# refers to no schema"),
    "no schema": ({"$ref": "#/info", "description": "It."}, "#/info refers to no schema; correct the reference"),
    "text": ({"$ref": "#/info/title", "description": "It."}, "#/info/title refers to no schema"),
    "itself": ({"$ref": "#/components/schemas/It"}, "refers to itself for the same value; break the cycle"),
    "itself in allOf": ({"allOf": [{"$ref": "#/components/schemas/It"}]}, "refers to itself for the same value"),
    "itself or null": ({"anyOf": [{"$ref": "#/components/schemas/It"}, {"type": "null"}]}, "refers to itself for the"),
}


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=REFUSED)
def test_reference_that_leads_to_no_schema_is_refused(schema, words):
    with pytest.raises(ContractError, match=words):
        start({"paths": {}, "components": {"schemas": {"It": _copy(schema)}}}, {})


@pytest.mark.parametrize(("target", "expected"), [(True, [True, True]), (False, [False, False])])
def test_boolean_schema_can_have_siblings(target, expected):
    schema = {"properties": {"a": {"$ref": "#/components/schemas/Target", "description": "It.", "readOnly": False}}}
    assert [accepts(_copy(schema), {"a": value}, Target=target) for value in (1, "x")] == expected


def _copy(node):
    """Return *node* without shared parts, because identifiers are removed from the schemas of a document."""
    match node:
        case dict():
            return {key: _copy(value) for key, value in node.items()}
        case list():
            return [_copy(item) for item in node]
    return node
