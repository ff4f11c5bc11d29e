"""Requests and responses have views of a schema, whichever keywords it is put together from."""

from copy import deepcopy
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.renderers.serializer import Serializers
from tests.engine.test_any_schema import SETTINGS
from tests.support.engine import start

TEXT = {"type": "string"}
ID = {**TEXT, "readOnly": True}
SECRET = {**TEXT, "writeOnly": True}
NAME = {"name": TEXT}
THING = {"type": "object", "properties": {"id": ID, "secret": SECRET, **NAME}}
ALL = ["id", "secret", "name"]
REFERENCE = {"$ref": "#/components/schemas/Thing"}


def schemas_of(schema, **components):
    schemas = JsonSchemas(Document({"components": {"schemas": deepcopy({"Thing": THING, **components, "It": schema})}}))
    return schemas, {"$ref": "#/components/schemas/It"}


SPLIT = {
    "flat": {**THING, "required": ALL},
    "beside a reference": {**REFERENCE, "required": ALL},
    "reference to a reference": {"$ref": "#/components/schemas/Other", "required": ALL},
    "allOf": {"allOf": [REFERENCE, {"required": ALL}]},
    "required first": {"allOf": [{"required": ALL}, REFERENCE]},
    "around allOf": {"allOf": [REFERENCE], "required": ALL},
    "properties around": {**THING, "allOf": [{"required": ALL}]},
    "component that requires": {**THING, "$ref": "#/components/schemas/Demand"},
    "anyOf": {"anyOf": [REFERENCE], "required": ALL},
    "required in anyOf": {**THING, "anyOf": [{"required": ALL}, {"required": ALL, "minProperties": 9}]},
    "oneOf": {"oneOf": [REFERENCE, {"type": "null"}], "type": "object", "required": ALL},
    "required in oneOf": {**REFERENCE, "oneOf": [{"required": ALL}, {"required": ["other"]}]},
    "then": {**REFERENCE, "if": {"required": ["name"]}, "then": {"required": ALL}, "else": False},
    "else": {**REFERENCE, "if": {"required": ["other"]}, "else": {"required": ALL}},
    "members of then": {"required": ALL, "if": {"type": "object"}, "then": REFERENCE},
    "dependentSchemas": {**THING, "required": ["name"], "dependentSchemas": {"name": {"required": ALL}}},
    "members of dependentSchemas": {"required": ALL, "dependentSchemas": {"name": REFERENCE}},
    "dependentRequired": {**THING, "required": ["name"], "dependentRequired": {"name": ALL}},
    "minProperties": {**THING, "required": ["name"], "minProperties": 3},
    "minProperties elsewhere": {"allOf": [REFERENCE, {"minProperties": 3}], "required": ["name"]},
    "minProperties of a component": {
        **THING,
        "required": ["name"],
        "allOf": [{"$ref": "#/components/schemas/Three"}],
    },
    "hidden by a part": {
        "properties": {"id": TEXT, "secret": TEXT, **NAME},
        "$ref": REFERENCE["$ref"],
        "required": ALL,
    },
    "hidden by a sibling": {
        "properties": {
            "id": {"$ref": "#/components/schemas/Text", "readOnly": True},
            "secret": {"allOf": [{"$ref": "#/components/schemas/Text"}], "writeOnly": True},
            **NAME,
        },
        "required": ALL,
    },
    "hidden by a reference": {
        "properties": {
            "id": {"$ref": "#/components/schemas/Id", "description": "It."},
            "secret": {"anyOf": [SECRET, {"type": "null"}]},
            **NAME,
        },
        "required": ALL,
    },
    "hidden by a pattern": {
        "properties": NAME,
        "patternProperties": {"^i": ID, "t$": SECRET},
        "required": ALL,
    },
    "not undone": {
        "properties": {"id": {"$ref": "#/components/schemas/Id", "readOnly": False}, "secret": SECRET, **NAME},
        "required": ALL,
    },
    "negated": {**THING, "required": ["name"], "not": {"required": ["id", "secret"]}},
    "closed": {"$ref": REFERENCE["$ref"], "required": ALL, "unevaluatedProperties": False},
    "closed in a part": {"allOf": [{**THING, "additionalProperties": False}], "required": ALL},
}
COMPONENTS = {
    "Other": REFERENCE,
    "Demand": {"required": ALL},
    "Three": {"minProperties": 3},
    "Text": TEXT,
    "Id": ID,
}


@pytest.mark.parametrize("schema", SPLIT.values(), ids=SPLIT)
def test_hidden_members_are_neither_required_nor_allowed(schema):
    """
    The owner sets what is `readOnly` (JSON Schema Validation, section 9.4); a response never has what is `writeOnly`.

    If several schemas apply to a member, the behaviour is that of `true` if any of them says so.
    """
    schemas, reference = schemas_of(schema, **COMPONENTS)
    request, response = schemas.validator(reference, "request"), schemas.validator(reference, "response")
    assert request.is_valid({"name": "n", "secret": "s"}), request.errors({"name": "n", "secret": "s"})
    assert response.is_valid({"name": "n", "id": "i"}), response.errors({"name": "n", "id": "i"})
    for validator in (request, response):
        assert not validator.is_valid({"name": "n", "secret": "s", "id": "i"})
        assert not validator.is_valid({"secret": "s", "id": "i"})
        assert not validator.is_valid({})


AROUND = {
    "items": (lambda schema: {"type": "array", "items": schema}, lambda value: [value]),
    "prefixItems": (lambda schema: {"prefixItems": [TEXT, schema]}, lambda value: ["x", value]),
    "contains": (lambda schema: {"contains": schema, "type": "array"}, lambda value: [value]),
    "unevaluatedItems": (lambda schema: {"unevaluatedItems": schema}, lambda value: [value]),
    "properties": (lambda schema: {"properties": {"id": schema}}, lambda value: {"id": value}),
    "patternProperties": (lambda schema: {"patternProperties": {"^x": schema}}, lambda value: {"x": value}),
    "additionalProperties": (lambda schema: {"additionalProperties": schema}, lambda value: {"x": value}),
    "unevaluatedProperties": (lambda schema: {"unevaluatedProperties": schema}, lambda value: {"x": value}),
}


@pytest.mark.parametrize(("around", "wrap"), AROUND.values(), ids=AROUND)
def test_members_are_hidden_in_every_place(around, wrap):
    for schema in SPLIT.values():
        schemas, reference = schemas_of(around({"$ref": "#/components/schemas/Inner"}), **COMPONENTS, Inner=schema)
        assert schemas.validator(reference, "request").is_valid(wrap({"name": "n", "secret": "s"}))
        assert schemas.validator(reference, "response").is_valid(wrap({"name": "n", "id": "i"}))
        assert not schemas.validator(reference, "request").is_valid(wrap({"name": "n", "id": "i"}))


def test_one_component_has_a_view_for_each_use():
    demand = {"$ref": "#/components/schemas/Demand"}
    use = {"hiding": {**THING, **demand}, "plain": {"properties": {"id": TEXT}, **demand}}
    schemas, reference = schemas_of({"type": "object", "properties": use}, Demand={"required": ["id"]})
    validator = schemas.validator(reference, "request")
    assert validator.is_valid({"hiding": {}})
    assert validator.errors({"plain": {}}) == [("/plain/id", "The property is required.", "required")]


def test_recursive_component_has_a_view_at_every_depth():
    tree = {
        "allOf": [{"properties": {"id": ID, "children": {"items": {"$ref": "#/components/schemas/Tree"}}}}],
        "required": ["id", "children"],
        "unevaluatedProperties": False,
    }
    schemas, reference = schemas_of({"$ref": "#/components/schemas/Tree"}, Tree=tree)
    validator = schemas.validator(reference, "request")
    assert validator.is_valid({"children": [{"children": []}]})
    assert validator.errors({"children": [{"children": [], "id": "i"}]})


def test_condition_on_a_member_that_is_not_there_allows_both_branches():
    schema = {
        "properties": {"secret": SECRET, "a": TEXT, "b": TEXT},
        "if": {"required": ["secret"]},
        "then": {"required": ["a"]},
        "else": {"required": ["b"]},
    }
    schemas, reference = schemas_of(schema)
    response, request = schemas.validator(reference, "response"), schemas.validator(reference, "request")
    assert [response.is_valid(value) for value in ({"a": "a"}, {"b": "b"}, {})] == [True, True, False]
    assert [request.is_valid({"secret": "s", name: "x"}) for name in "ab"] == [True, False]


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ([{"properties": {"kind": {"const": kind, "writeOnly": True}}, "required": ["kind"]} for kind in "ab"], True),
        ([{"properties": {"secret": SECRET}}, {"properties": {"secret": SECRET}}], False),
        ([{"required": ["x"]}, {"required": ["y"]}], False),
    ],
    ids=["distinguished", "alike", "visible"],
)
def test_alternatives_that_hidden_members_distinguish_may_all_match(branches, expected):
    schemas, reference = schemas_of({"oneOf": branches})
    assert schemas.validator(reference, "response").is_valid({"x": 1, "y": 2}) == expected


def test_items_may_be_equal_but_for_hidden_members():
    schemas, reference = schemas_of({"items": REFERENCE, "uniqueItems": True})
    assert schemas.validator(reference, "response").is_valid([{"name": "n"}, {"name": "n"}])
    plain, reference = schemas_of({"items": {"properties": NAME}, "uniqueItems": True})
    assert not plain.validator(reference, "response").is_valid([{"name": "n"}, {"name": "n"}])


def test_patch_still_needs_a_member():
    schemas, reference = schemas_of({**THING, "minProperties": 1})
    assert not schemas.validator(reference, "request").is_valid({})
    assert schemas.validator(reference, "response").is_valid({})


@pytest.mark.parametrize("closed", [{"additionalProperties": False}, {"unevaluatedProperties": False}, {}], ids=str)
@pytest.mark.parametrize("schema", [THING, {"allOf": [THING]}], ids=["flat", "split"])
def test_hidden_member_is_reported_as_unknown(schema, closed):
    if "additionalProperties" in closed:
        closed = {**closed, "properties": {name: {} for name in ALL}}
    schemas, reference = schemas_of({**THING, **schema, **closed, "properties": THING["properties"]})
    errors = schemas.validator(reference, "request").errors({"name": "n", "secret": "s", "id": "i"})
    assert errors == [("/id", "Unknown property.", "additionalProperties")]


def answering(schema, answer):
    """Return the reply of an operation whose body and response have *schema*, and whose handler is *answer*."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/It"}}}
    responses = {"200": {"description": "It.", "content": body}}
    raw = {
        "paths": {"/t": {"post": {"operationId": "t", "requestBody": {"content": body}, "responses": responses}}},
        "components": {"schemas": deepcopy({**COMPONENTS, "Thing": THING, "It": schema})},
    }
    return start(raw, {"t": answer}).post("/t", {"name": "n", "secret": "s"})


@pytest.mark.parametrize("schema", SPLIT.values(), ids=SPLIT)
def test_response_without_a_write_only_member_is_sent(schema):
    reply = answering(schema, lambda body=None: {"name": body["name"], "id": "i"})
    assert (reply.status, reply.json) == (200, {"name": "n", "id": "i"})


@pytest.mark.parametrize("name", [name for name in SPLIT if name != "hidden by a pattern"])
def test_write_only_member_of_an_object_is_not_sent(name):
    reply = answering({"type": "object", **SPLIT[name]}, lambda body=None: {**body, "id": "i"})
    assert (reply.status, reply.json) == (200, {"name": "n", "id": "i"})


def test_write_only_member_that_cannot_be_left_out_is_a_contract_violation():
    assert answering({"properties": {"secret": SECRET}}, lambda body=None: body).status == 500


MEMBERS = {
    "on": {"type": "string", "format": "date"},
    "n": {"type": "integer"},
    "name": {**TEXT, "minLength": 2},
    "id": {**ID, "format": "uuid"},
    "made": {"type": "string", "format": "date", "readOnly": True},
    "secret": SECRET,
    "token": {"type": "integer", "writeOnly": True},
}
SAMPLES = {
    "on": "2026-01-31",
    "n": 3,
    "name": "name",
    "id": str(UUID(int=1)),
    "made": "2026-01-31",
    "secret": "s",
    "token": 1,
}


@st.composite
def splits(draw, flat, components):
    """Return a schema with the meaning of *flat*, put together from parts in some way."""
    parts = [{key: value} for key, value in flat.items() if key not in ("properties", "required", "type")]
    for name, member in flat["properties"].items():
        parts.append({"properties": {name: member}})
    parts += [{"required": [name]} for name in flat["required"]]
    parts = draw(st.permutations(parts))
    size = draw(st.integers(1, max(1, len(parts))))
    whole = {"type": "object", "allOf": []}
    for n in range(0, len(parts), size):
        part = {}
        for piece in parts[n : n + size]:
            for key, value in piece.items():
                match value:
                    case dict():
                        part[key] = {**part.get(key, {}), **value}
                    case list():
                        part[key] = [*part.get(key, []), *value]
                    case _:
                        part[key] = value
        for _ in range(draw(st.integers(0, 2))):
            part = draw(wrapped(part, components))
        whole["allOf"].append(part)
    return whole


@st.composite
def wrapped(draw, part, components):
    name = f"C{len(components)}"
    test = draw(st.sampled_from([{"required": ["name"]}, {"properties": {"n": {"minimum": 4}}}, {"type": "object"}]))
    way = draw(st.sampled_from(["allOf", "anyOf", "oneOf", "anyOf false", "true", "false", "both", "ref", "beside"]))
    match way:
        case "allOf" | "anyOf" | "oneOf":
            return {way: [part]}
        case "anyOf false":
            return {"anyOf": [False, part]}
        case "true":
            return {"if": draw(st.sampled_from([True, {}])), "then": part}
        case "false":
            return {"if": False, "else": part}
        case "both":
            return {"if": test, "then": part, "else": part}
        case "ref":
            components[name] = part
            return {"$ref": f"#/components/schemas/{name}"}
    components[name] = {key: value for key, value in part.items() if key != "required"}
    return {"$ref": f"#/components/schemas/{name}", **({"required": part["required"]} if "required" in part else {})}


@st.composite
def flat_and_split(draw):
    members = {name: MEMBERS[name] for name in draw(st.sets(st.sampled_from(sorted(MEMBERS)), min_size=1))}
    names = sorted(members)
    flat = {"type": "object", "properties": members, "required": draw(st.lists(st.sampled_from(names), unique=True))}
    if draw(st.booleans()):
        flat["dependentRequired"] = {draw(st.sampled_from(names)): draw(st.lists(st.sampled_from(names), unique=True))}
    if draw(st.booleans()):
        flat["minProperties"] = draw(st.integers(0, 3))
    components = {}
    split = draw(splits(flat, components))
    if draw(st.booleans()):
        flat["additionalProperties"] = False
        split["unevaluatedProperties"] = False
    values = st.fixed_dictionaries({}, optional={name: st.just(SAMPLES[name]) for name in [*names, "on", "name"]})
    return flat, split, components, draw(st.lists(values | st.just({"name": "x", "z": 1}), min_size=1, max_size=6))


@SETTINGS
@given(flat_and_split())
def test_split_schema_behaves_as_the_flat_one(case):
    flat, split, components, values = case
    behaviours = []
    for schema in (flat, split):
        schemas = JsonSchemas(Document({"components": {"schemas": deepcopy({**components, "It": schema})}}))
        representations, reference = MarshmallowSchemas(schemas), {"$ref": "#/components/schemas/It"}
        load = representations.deserializer(reference) or (lambda value: value)
        dump = Serializers(representations, {}, {}).for_schema(reference)
        request, response = schemas.validator(reference, "request"), schemas.validator(reference, "response")
        behaviours.append(
            [
                (
                    request.is_valid(value),
                    response.is_valid(value),
                    load(value) if request.is_valid(value) else None,
                    dump(value) if response.is_valid(value) else None,
                )
                for value in values
            ]
        )
    assert behaviours[0] == behaviours[1]
