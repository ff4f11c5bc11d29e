"""Every keyword and format of JSON Schema 2020-12 is enforced in every place in which a schema can be."""

import pytest

from accord.contract import keywords
from tests.support.engine import start

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
NAMED = "#/components/schemas/Named"
FORM = "application/x-www-form-urlencoded"

# Schemas by keyword, each with values that match and values that do not.
ENFORCED = {
    "$ref": ({"$ref": NAMED}, [1], ["x"]),
    "$defs": ({"$defs": {"a": INTEGER}, "$ref": "#/components/schemas/It/$defs/a"}, [1], ["x"]),
    "$anchor": ({"$ref": "#count"}, [1], ["x"]),
    "$id": ({"$ref": "https://schemas.example/name"}, ["x"], [1]),
    "allOf": ({"allOf": [{"minimum": 2}, {"maximum": 3}]}, [2, 3], [1, 4]),
    "anyOf": ({"anyOf": [INTEGER, {"const": "x"}]}, [1, "x"], ["y", None]),
    "oneOf": ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer"}, [2, 3], [5, 6]),
    "not": ({"not": TEXT}, [1, None], ["x"]),
    "if": ({"if": TEXT, "then": {"minLength": 2}, "else": INTEGER}, ["xx", 1], ["x", None]),
    "then": ({"if": TEXT, "then": {"minLength": 2}}, ["xx", None], ["x"]),
    "else": ({"if": TEXT, "else": INTEGER}, ["x", 1], [None]),
    "dependentSchemas": ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
    "properties": ({"properties": {"a": INTEGER}}, [{"a": 1}, {"b": "x"}], [{"a": "x"}]),
    "patternProperties": ({"patternProperties": {"^x-": INTEGER}}, [{"x-a": 1}, {"a": "x"}], [{"x-a": "x"}]),
    "additionalProperties": ({"properties": {"a": {}}, "additionalProperties": INTEGER}, [{"b": 1}], [{"b": "x"}]),
    "propertyNames": ({"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
    "prefixItems": ({"prefixItems": [INTEGER, TEXT]}, [[1, "x"], [1]], [["x"], [1, 1]]),
    "items": ({"prefixItems": [TEXT], "items": INTEGER}, [["x", 1]], [["x", "y"]]),
    "contains": ({"contains": {"const": 1}}, [[1], [2, 1]], [[2], []]),
    "minContains": ({"contains": {"const": 1}, "minContains": 2}, [[1, 1]], [[1]]),
    "maxContains": ({"contains": {"const": 1}, "maxContains": 1}, [[1, 2]], [[1, 1]]),
    "unevaluatedItems": ({"allOf": [{"prefixItems": [TEXT]}], "unevaluatedItems": False}, [["x"]], [["x", 1]]),
    "unevaluatedProperties": (
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        [{"a": 1}],
        [{"a": 1, "b": 1}],
    ),
    "type": ({"type": ["integer", "null"]}, [1, 1.0, None], [1.5, "x", True]),
    "enum": ({"enum": ["x", 1, {"a": [1.0]}]}, ["x", 1, {"a": [1]}], ["y", True]),
    "const": ({"const": False}, [False], [0, None]),
    "multipleOf": ({"multipleOf": 0.01}, [0.07, 19.99, "x"], [0.075]),
    "maximum": ({"maximum": 3}, [3, "x"], [3.1]),
    "exclusiveMaximum": ({"exclusiveMaximum": 3}, [2.9], [3]),
    "minimum": ({"minimum": 3}, [3], [2.9]),
    "exclusiveMinimum": ({"exclusiveMinimum": 3}, [3.1], [3]),
    "maxLength": ({"maxLength": 2}, ["ab", "\U0001f600\U0001f600", 123], ["abc"]),
    "minLength": ({"minLength": 2}, ["ab"], ["\U0001f600"]),
    "pattern": ({"pattern": "^[a-z]+$"}, ["ab", 1], ["a1", "a\n"]),
    "maxItems": ({"maxItems": 1}, [[1]], [[1, 2]]),
    "minItems": ({"minItems": 1}, [[1]], [[]]),
    "uniqueItems": ({"uniqueItems": True}, [[1, True, "1"]], [[1, 1.0]]),
    "maxProperties": ({"maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 1}]),
    "minProperties": ({"minProperties": 1}, [{"a": 1}], [{}]),
    "required": ({"required": ["a"]}, [{"a": None}], [{"b": 1}]),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, [{"a": 1, "b": 1}, {}], [{"a": 1}]),
    "format": ({"format": "date"}, ["2026-02-28", 1], ["2026-02-30"]),
}
FORMATS = {
    "byte": (["", "aGk=", "aGkh"], ["a", "aGk", "aGk-"]),
    "date": (["2024-02-29"], ["2026-02-29", "2026-2-1"]),
    "date-time": (["2026-01-31T10:00:00Z", "2026-01-31t10:00:00.5+05:30"], ["2026-01-31T10:00:00", "2026-01-31"]),
    "decimal": (["1", "-0.50"], ["1e3", ".5", "x"]),
    "duration": (["P1D", "PT1H30M"], ["1D", "P"]),
    "email": (["a@b.example"], ["a.example", "@"]),
    "hostname": (["a.example"], ["a_b", "-a"]),
    "idn-email": (["ä@ö.example"], ["ä"]),
    "idn-hostname": (["ö.example"], ["a b"]),
    "int32": ([2**31 - 1, -(2**31), "x"], [2**31, -(2**31) - 1]),
    "int64": ([2**63 - 1, -(2**63), "x"], [2**63]),
    "ipv4": (["192.0.2.1"], ["192.0.2.256", "192.0.2"]),
    "ipv6": (["2001:db8::1"], ["2001:db8", "192.0.2.1"]),
    "iri": (["https://ö.example/ä"], ["ä"]),
    "iri-reference": (["/ä"], ["\\a"]),
    "json-pointer": (["", "/a~1b"], ["a", "/~2"]),
    "regex": (["^a$"], ["("]),
    "relative-json-pointer": (["1/a"], ["/a"]),
    "time": (["10:00:00Z"], ["10:00:00", "25:00:00Z"]),
    "uri": (["https://a.example/b"], ["/b", "a b"]),
    "uri-reference": (["/b?c"], ["\\b"]),
    "uri-template": (["/{a}"], ["/{a"]),
    "uuid": (["01890a5d-ac96-774b-bcce-b302099a8057"], ["01890a5dac96774bbcceb302099a8057"]),
}
CASES = ENFORCED | {f"format {name}": ({"format": name}, valid, invalid) for name, (valid, invalid) in FORMATS.items()}
COMPONENTS = {
    "Named": INTEGER,
    "Counted": {"$anchor": "count", **INTEGER},
    "Identified": {"$id": "https://schemas.example/name", **TEXT},
}
IT = {"$ref": "#/components/schemas/It"}


def statuses(schema, values, *, of_response=False, wrap=None):
    """Return the status of each of *values* in the body of a request or of a response."""
    raw = {
        "paths": {"/t": {"post": {"operationId": "t"}}},
        "components": {"schemas": _copy(COMPONENTS | {"It": schema})},
    }
    content = {"content": {"application/json": {"schema": wrap[0](IT) if wrap else IT}}}
    operation = raw["paths"]["/t"]["post"]
    operation["requestBody"] = {"content": {"application/json": {"schema": True}}} if of_response else content
    operation["responses"] = {"200": {"description": "It.", **content}} if of_response else {}
    engine = start(raw, {"t": lambda body=None: body if of_response else None})
    return {engine.post("/t", wrap[1](value) if wrap else value).status for value in values}


@pytest.mark.parametrize(("schema", "valid", "invalid"), CASES.values(), ids=CASES)
def test_body_is_validated(schema, valid, invalid):
    assert statuses(schema, valid) == {200}
    assert statuses(schema, invalid) == {422}


@pytest.mark.parametrize(("schema", "valid", "invalid"), CASES.values(), ids=CASES)
def test_response_is_validated(schema, valid, invalid):
    assert statuses(schema, valid, of_response=True) == {200}
    assert statuses(schema, invalid, of_response=True) == {500}


WRAPPED = {
    "property": (lambda schema: {"properties": {"p": schema}}, lambda value: {"p": value}),
    "item": (lambda schema: {"type": "array", "items": schema}, lambda value: [value]),
    "map": (lambda schema: {"additionalProperties": schema}, lambda value: {"x": value}),
    "alternative": (lambda schema: {"anyOf": [False, schema]}, lambda value: value),
    "part": (lambda schema: {"allOf": [{"description": "It."}, schema]}, lambda value: value),
    "sibling": (lambda schema: {**schema, "description": "It."}, lambda value: value),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_nested_schema_is_validated(wrap):
    for schema, valid, invalid in CASES.values():
        assert statuses(schema, valid, wrap=wrap) == {200}, schema
        assert statuses(schema, invalid, wrap=wrap) == {422}, schema


TEXTS = {
    name: (schema, [v for v in valid if isinstance(v, str) and v], [v for v in invalid if isinstance(v, str) and v])
    for name, (schema, valid, invalid) in CASES.items()
}
PARAMETERS = {
    # Numbers and lists are texts in a parameter, so that the schema says the type.
    "minimum": ({**INTEGER, "minimum": 3}, ["3"], ["2", "x"]),
    "exclusiveMinimum": ({"type": "number", "exclusiveMinimum": 3}, ["3.5"], ["3"]),
    "maximum": ({**INTEGER, "maximum": 3}, ["3"], ["4"]),
    "exclusiveMaximum": ({"type": "number", "exclusiveMaximum": 3}, ["2.5"], ["3"]),
    "multipleOf": ({"type": "number", "multipleOf": 0.01}, ["19.99"], ["19.999"]),
    "type": ({"type": ["integer", "boolean"]}, ["1", "true"], ["x"]),
    "enum": ({"enum": [1, "x"]}, ["1", "x"], ["2"]),
    "const": ({"const": True}, ["true"], ["false"]),
    "$ref": ({"$ref": NAMED}, ["1"], ["x"]),
    "$anchor": ({"$ref": "#count"}, ["1"], ["x"]),
    "format int32": ({**INTEGER, "format": "int32"}, ["1"], [str(2**31)]),
    "oneOf": ({**INTEGER, "oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, ["2"], ["6"]),
} | {
    f"{name} of text": case
    for name, case in TEXTS.items()
    if case[1] and case[2] and set(case[0]) & {"format", "pattern", "maxLength", "minLength"}
}
LISTS = {
    "items": ({"type": "array", "items": INTEGER}, ["1", "1,2"], ["x"]),
    "prefixItems": ({"type": "array", "items": TEXT, "prefixItems": [{"const": "a"}]}, ["a,b"], ["b,a"]),
    "minItems": ({"type": "array", "minItems": 2}, ["a,b"], ["a"]),
    "maxItems": ({"type": "array", "maxItems": 1}, ["a"], ["a,b"]),
    "uniqueItems": ({"type": "array", "uniqueItems": True}, ["a,b"], ["a,a"]),
    "contains": ({"type": "array", "contains": {"const": "a"}}, ["b,a"], ["b"]),
    "minContains": ({"type": "array", "contains": {"const": "a"}, "minContains": 2}, ["a,a"], ["a"]),
    "maxContains": ({"type": "array", "contains": {"const": "a"}, "maxContains": 1}, ["a,b"], ["a,a"]),
}


@pytest.mark.parametrize("location", ["query", "path", "header"])
@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    (PARAMETERS | LISTS).values(),
    ids=[*PARAMETERS, *(f"list {name}" for name in LISTS)],
)
def test_parameter_is_validated(location, schema, valid, invalid):
    parameter = {"name": "q", "in": location, "schema": IT, "required": True}
    if location == "query":
        parameter["explode"] = False
    path = "/t/{q}" if location == "path" else "/t"
    raw = {
        "paths": {path: {"get": {"operationId": "t", "parameters": [parameter]}}},
        "components": {"schemas": _copy(COMPONENTS | {"It": schema})},
    }
    engine = start(raw, {"t": lambda q: None})
    for texts, status in ((valid, 200), (invalid, 400)):
        for text in texts:
            if location == "header" and not text.isascii():
                continue  # Field values are ASCII (RFC 9110, section 5.5).
            target = {"path": f"/t/{_quoted(text)}", "query": f"/t?q={_quoted(text)}", "header": "/t"}[location]
            reply = engine.get(target, {"q": text} if location == "header" else None)
            assert reply.status == (404 if location == "path" and "/" in text else status), (text, reply)


@pytest.mark.parametrize(("schema", "valid", "invalid"), PARAMETERS.values(), ids=PARAMETERS)
def test_field_of_a_form_is_validated(schema, valid, invalid):
    content = {FORM: {"schema": {"type": "object", "properties": {"q": IT}}}}
    raw = {
        "paths": {"/t": {"post": {"operationId": "t", "requestBody": {"content": content}}}},
        "components": {"schemas": _copy(COMPONENTS | {"It": schema})},
    }
    engine = start(raw, {"t": lambda body=None: None})
    for texts, status in ((valid, 200), (invalid, 422)):
        replies = [engine.send("POST", "/t", f"q={_quoted(text)}".encode(), media_type=FORM) for text in texts]
        assert {reply.status for reply in replies} == {status}


def test_every_keyword_has_a_case():
    annotations = keywords.ANNOTATIONS | {"readOnly", "writeOnly", "$schema"}
    assert set(keywords.KEYWORDS) - annotations == set(ENFORCED)
    assert set(keywords.ASSERTED_FORMATS) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(keywords.ANNOTATION_FORMATS))
def test_annotation_constrains_no_value(name):
    assert statuses({"format": name}, ["", "x", 1, 1.5, None]) == {200}


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer", "format": "int32", "minimum": -(2**40)}, [-(2**31) - 1]),
        ({"type": "integer", "maximum": 2**64 - 1}, [2**63]),
        ({"type": "string", "format": "decimal", "pattern": "^.{1,3}$"}, ["abc"]),
        ({"type": "string", "format": "byte", "pattern": "^a"}, ["a"]),
    ],
    ids=str,
)
def test_format_is_enforced_beside_a_weaker_constraint(schema, values):
    assert statuses(schema, values) == {422}


def _quoted(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _copy(node):
    match node:
        case dict():
            return {key: _copy(value) for key, value in node.items()}
        case list():
            return [_copy(item) for item in node]
    return node
