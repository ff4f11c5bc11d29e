"""Whatever the schema: a body is taken if and only if it fits, and arrives and goes as it was."""

from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.engine import echo, start
from tests.support.examples import PROFILE, examples

settings.register_profile(
    "engine",
    derandomize=PROFILE == "few",
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SETTINGS = settings(settings.get_profile("engine"), max_examples=examples(100))

NAMES = ["a", "b", "class", "from", "x-y", "items", "_links2", "$ref2", "é", "a b", "value", "made", "self", "get"]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
WHOLE = st.integers(-(2**53), 2**53) | st.integers(-3, 12)
FORMED = {
    "date": st.dates().map(str),
    "uuid": st.uuids().map(str),
    "ipv4": st.ip_addresses(v=4).map(str),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9).map(
        str
    ),
}
ANY = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


def some(**words):
    """Return schemas that have any of *words*."""
    return st.fixed_dictionaries({}, optional=words)


def typed(kind, words):
    """Return schemas of *kind*, some nullable, some without a word of it."""
    kinds = st.sampled_from([{"type": kind}, {"type": kind}, {"type": [kind, "null"]}, {}])
    return st.tuples(kinds, words).map(lambda pair: {**pair[0], **pair[1]})


SMALL = st.integers(0, 4)
SCALARS = st.one_of(
    typed(
        "string",
        some(minLength=SMALL, maxLength=st.integers(3, 9), pattern=st.sampled_from(["^[a-z]", "[0-9]", "é|x"])),
    ),
    typed("string", st.sampled_from(["date", "uuid", "ipv4"]).map(lambda form: {"format": form})),
    typed("integer", some(minimum=st.integers(-5, 5), maximum=st.integers(2, 99), multipleOf=st.integers(1, 3))),
    typed("number", some(minimum=st.integers(-5, 5), exclusiveMaximum=st.integers(2, 99))),
    typed("boolean", st.just({})),
    st.just({"type": "null"}),
    st.sampled_from([{}, True, False, {"type": ["integer", "string"]}, {"type": ["string", "boolean", "null"]}]),
    st.lists(ANY, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    ANY.map(lambda value: {"const": value}),
)


def deeper(inner):
    choices = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        typed("array", some(items=inner, minItems=SMALL, maxItems=st.integers(2, 4), uniqueItems=st.booleans())),
        objects(inner),
        typed("object", some(additionalProperties=inner, minProperties=SMALL, maxProperties=st.integers(1, 4))),
        choices.map(lambda schemas: {"anyOf": schemas}),
        choices.map(lambda schemas: {"oneOf": schemas}),
        choices.map(lambda schemas: {"allOf": schemas}),
        st.tuples(objects(inner), objects(inner)).map(lambda pair: {"allOf": list(pair)}),
        st.tuples(inner, inner).map(lambda pair: {"anyOf": [pair[0], {"type": "null"}]}),
        inner.map(lambda schema: {"not": schema}),
    )


def objects(inner):
    members = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4)
    others = st.sampled_from([False, False, True]) | inner
    required = st.lists(st.sampled_from(NAMES[:4]), max_size=2, unique=True)
    return st.tuples(members, others).flatmap(
        lambda pair: typed("object", some(required=required)).map(
            lambda words: {**words, "properties": pair[0], "additionalProperties": pair[1]}
        )
    )


SCHEMAS = st.recursive(SCALARS, deeper, max_leaves=8)


def fitting(schema):
    """Return values that fit *schema*, more or less."""
    if not isinstance(schema, dict):
        return ANY
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return st.sampled_from(schema[word]).flatmap(fitting)
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    return st.sampled_from(kinds if isinstance(kinds, list) else [kinds]).flatmap(lambda kind: _of_kind(kind, schema))


def _of_kind(kind, schema):
    match kind:
        case "string":
            return FORMED.get(schema.get("format"), TEXTS)
        case "integer":
            return WHOLE | WHOLE.map(float)
        case "number":
            return st.floats(-1e9, 1e9) | WHOLE
        case "array":
            return st.lists(st.deferred(lambda: nearly(schema.get("items", {}))), max_size=4)
        case "object":
            members = {name: nearly(member) for name, member in schema.get("properties", {}).items()}
            others = nearly(schema.get("additionalProperties", {}))
            extra = (
                st.dictionaries(st.sampled_from(NAMES), others, max_size=2)
                if "additionalProperties" in schema
                else st.just({})
            )
            return st.tuples(extra, st.fixed_dictionaries({}, optional=members)).map(
                lambda pair: {**pair[0], **pair[1]}
            )
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return ANY


def nearly(schema):
    return st.integers(0, 9).flatmap(lambda n: ANY if n == 0 else fitting(schema))


CASES = SCHEMAS.flatmap(lambda schema: st.tuples(st.just(schema), st.lists(nearly(schema), min_size=1, max_size=5)))


@SETTINGS
@given(CASES)
def test_body_is_taken_if_and_only_if_it_fits_and_is_echoed_as_it_was(case):
    schema, values = case
    engine = echo(schema)
    judge = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for value in values:
        reply = engine.post("/echo", value)
        if judge.is_valid(value):
            assert reply.status == 200, (schema, value, reply)
            assert _same(reply.json, value), (schema, value, reply.json)
        else:
            assert reply.status == 422, (schema, value, reply)
            assert reply.json["errors"], (schema, value)


def _same(one, other):
    """Say whether two JSON values are equal; 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def of(**members):
    return {"type": "object", "properties": members, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({**of(a={"type": "string"}), "additionalProperties": {}}, {"a": "x", "b": 1}),
        ({**of(a={"type": "string"}), "additionalProperties": {"type": "integer"}}, {"a": "x", "b": 1}),
        ({**of(a={"type": "string"}), "additionalProperties": True}, {"b": {"c": [None]}}),
        ({**of(a={}), "patternProperties": {"^x-": {}}}, {"a": 1, "x-b": 2}),
        (
            {"type": "object", "additionalProperties": False, "patternProperties": {"^x-": {"type": "integer"}}},
            {"x-b": 2},
        ),
        (
            {
                "allOf": [{"type": "object", "properties": {"a": {}}}, {"properties": {"b": {}}}],
                "unevaluatedProperties": False,
            },
            {"a": 1, "b": 2},
        ),
        ({"allOf": [{"type": "object", "properties": {"a": {}}}], "additionalProperties": True}, {"a": 1, "b": 2}),
        ({"properties": {"a": {"type": "integer"}}}, 3),
        ({"properties": {"a": {"type": "integer"}}}, None),
        ({"properties": {"a": {"type": "integer"}}}, [[], []]),
        ({"properties": {"a": {"type": "integer"}}}, "text"),
        ({"items": {"type": "string", "format": "date"}}, "text"),
        ({"format": "date"}, 5),
        ({"format": "uuid"}, None),
        ({"anyOf": [of(a={"type": "integer"}), of(a={"type": "string"})]}, {"a": "x"}),
        ({"anyOf": [of(a={"type": "integer"}), of(a={"type": "array"})]}, {"a": [1.5]}),
        ({"anyOf": [of(a={"type": "string", "format": "date"}), of(a={"type": "string"})]}, {"a": "x"}),
        ({"anyOf": [of(a={"type": "string"}), of(a={"type": ["string", "null"]})]}, {"a": None}),
        ({"anyOf": [{**of(a={}, b={}), "required": ["a", "b"]}, {**of(a={}, b={}), "required": ["a"]}]}, {"a": 1}),
        ({"oneOf": [of(a={"type": "integer"}), of(b={"type": "integer"})], "type": "object"}, {"b": 1}),
        ({"anyOf": [of(a={"type": "integer"}), {"type": "string"}]}, "x"),
        ({"anyOf": [{"type": "array", "items": {"type": "string", "format": "date"}}, {"type": "array"}]}, ["x"]),
        ({"allOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "null"}]}]}, None),
        ({"allOf": [{"type": ["integer", "null"]}, {"maximum": 3}]}, None),
        ({"type": "integer", "anyOf": [{"minimum": 3}, {"maximum": 1}]}, 4),
        ({"type": "string", "format": "decimal"}, "0.0000001"),
        ({"type": "string", "format": "decimal"}, "100000000000000000000000000000000000.01"),
        ({"type": "string", "format": "decimal"}, "-0.00"),
        ({"type": "string", "format": "decimal"}, "7.10"),
        ({"type": "string", "format": "date"}, "0001-01-01"),
        ({"type": "string", "format": "date"}, "9999-12-31"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T10:00:00.123456Z"),
        ({"type": "string", "format": "date-time"}, "0999-02-28T10:00:00Z"),
        ({"type": "string", "format": "time"}, "10:00:00Z"),
        ({"type": "string", "format": "byte"}, "aGk="),
        ({"type": "string", "format": "password"}, "x"),
        ({"type": "string"}, "\x7f\u2028\U0010ffff"),
        ({"enum": ["a", 1, 1.5, None, [1], {"a": 1}]}, {"a": 1}),
        ({"const": [1, {"a": None}]}, [1, {"a": None}]),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}, [1, "a"]),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string", "format": "date"}},
            [1, "2026-01-01"],
        ),
        ({"type": "array", "contains": {"const": 3}}, [1, 3]),
        ({"type": "object", "propertyNames": {"maxLength": 3}}, {"abc": 1}),
        ({"if": {"type": "string"}, "then": {"maxLength": 3}, "else": {"type": "integer"}}, "abc"),
        ({"type": ["object", "array", "string"], "properties": {"a": {"type": "integer"}}}, [1]),
        ({"type": ["object", "null"], "properties": {"a": {"type": "integer"}}, "required": ["a"]}, None),
        (
            of(made={"type": "integer"}, value={"type": "integer"}, item={"type": "integer"}),
            {"made": 1, "value": 2, "item": 3},
        ),
        (
            of(fields={"type": "integer"}, dump={"type": "integer"}, load={"type": "integer"}),
            {"fields": 1, "dump": 2, "load": 3},
        ),
        (
            of(context={}, Meta={}, opts={}, __class__={}, __dict__={}),
            {"Meta": 1, "opts": 2, "__class__": 3, "__dict__": 4},
        ),
        (
            of(component={}, always={}, fewest={}, keeps_others={}, has_links={}),
            {"always": 1, "has_links": True},
        ),
        (
            of(**{"a'b": {"type": "integer"}, 'a"b': {}, "a\\b": {}, "a\nb": {}, "{a}": {}, "": {}}),
            {"a'b": 1, 'a"b': 2, "a\\b": 3, "a\nb": 4, "{a}": 5, "": 6},
        ),
        (of(**{"a.b": {"type": "integer"}, "a": {}}), {"a.b": 1, "a": {"b": 2}}),
        (
            of(**{"class": {"type": "integer"}, "None": {"type": "integer"}, "é": {"type": "integer"}}),
            {"class": 1, "None": 2, "é": 3},
        ),
    ],
    ids=str,
)
def test_odd_schema_shows_what_it_took(schema, value):
    reply = echo(schema).post("/echo", value)
    assert reply.status == 200, reply
    assert _same(reply.json, value)


@pytest.mark.parametrize("word", ["required", "optional"])
@pytest.mark.parametrize(
    "name", ["class", "x-y", "é", "a b", "made", "value", "__class__", "fields", "get", "items", "_links2", "1"]
)
def test_member_of_any_name_is_shown_of_mappings_and_of_objects(name, word):
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"}},
        "required": [name] if word == "required" else [],
    }
    raw = {"paths": {"/t": {"get": {"operationId": "t", "responses": {"200": {
        "description": "T.", "content": {"application/json": {"schema": schema}}}}}}}}  # fmt: skip

    class Thing:
        def __getattr__(self, asked):
            if asked == name:
                return 7
            raise AttributeError(asked)

    shown = [{name: 7}, MappingProxyType({name: 7})]
    if name != "__class__":  # Of an object this is its class, whatever its author wants.
        shown.append(Thing())
    for thing in shown:
        assert start(raw, {"t": _giving(thing)}).get("/t").json == {name: 7}


def _giving(thing):
    return lambda: thing


def test_member_beside_a_reference_and_member_of_it_are_both_known():
    base = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    schema = {"$ref": "#/components/schemas/Base", "properties": {"on": {"type": "string", "format": "date"}}}
    reply = echo(schema, components={"Base": base}).post("/echo", {"n": 2.0, "on": "2026-01-31"})
    assert (reply.status, reply.body) == (200, b'{"n":2,"on":"2026-01-31"}')
