"""What a serializer with assertions returns is valid: whatever the validator refuses, it refuses, too."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import orjson
import pytest
from asyncpg.pgproto import pgproto
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.app.container import Container
from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.problems import ContractViolation
from accord.engine.renderers.assertions import Unproven
from accord.engine.renderers.serializer import Serializers
from accord.settings import Settings
from tests.engine.test_any_schema import CASES, SETTINGS
from tests.engine.test_marshmallow_schemas import as_objects
from tests.support.examples import examples

RESPONSES = [
    (operation.path_item.template, operation.success, operation.marshmallow_schemas.schemas)
    for operation in Container(Settings()).contract.operations
    if operation.success.is_json
]
WITHOUT_ASSERTIONS = {"get_readiness 200", "list_audit_events 200", "get_audit_event 200"}
"""The responses with keywords, or objects without named properties, that are not expressed as conditions."""
DIFFERENT = {
    (id(schemas), repr(response.schema)): pytest.param(response, schemas, id=f"{path} {response.label}")
    for path, response, schemas in RESPONSES
    if response.label not in WITHOUT_ASSERTIONS
}.values()
MOMENT = datetime(2026, 11, 21, 8, 30, 0, 250000, UTC)


class Text(str):
    __slots__ = ()


class Mark(Enum):
    USED = "used"


class Level(IntEnum):
    ONE = 1


WRONG = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**400, 0.0, -0.5, 1e300, float("nan"), float("inf")),
    *("", "\0", "a\0b", "x", "x" * 10_000, "☃" * 8001, "\ud800", Text("x"), b"x", "2026-11-21", "NaN", "1E+3", "1.005"),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+3"), Decimal("1E-9"), Decimal("-1.00")),
    *(Decimal(10**20), Decimal("0.00"), Mark.USED, Level.ONE, object(), [], {}, (), [None], {"a": 1}, {1: 1}),
    *(MOMENT, MOMENT.replace(tzinfo=None), MOMENT.replace(tzinfo=timezone(timedelta(hours=5, seconds=7)))),
    *(datetime.min.replace(tzinfo=UTC), date.min, MOMENT.date(), UUID(int=1), pgproto.UUID(str(UUID(int=1)))),
    *(str(UUID(int=1)), [""], ["x", "x"], ["\0"], [Text("x")], [Mark.USED], ["x"] * 500, [{}], [MOMENT]),
]


def valid(schema, schemas, depth=0):
    """Return values of *schema*, as a service returns them for a valid response."""
    merged, types = schemas.merge(schema), schemas.types(schema)
    if "enum" in merged:
        return st.sampled_from(merged["enum"])
    for word in ("anyOf", "oneOf"):
        if word in merged:
            choices = (
                merged[word] if len({*types} - {"null"}) > 1 else [c for c in merged[word] if c != {"type": "null"}][:1]
            )
            drawn = st.one_of([valid(choice, schemas, depth) for choice in choices])
            return drawn | st.none() if "null" in types else drawn
    kind = next((kind for kind in types if kind != "null"), "null")
    pattern = merged.get("pattern")
    match kind:
        case "object":
            drawn = _object(merged, schemas, depth)
        case "array":
            bounds = merged.get("minItems", 0), min(merged.get("maxItems", 3), 3 if depth < 3 else 1)
            items = valid(merged.get("items", {}), schemas, depth + 1)
            drawn = st.lists(items, min_size=bounds[0], max_size=max(bounds), unique=merged.get("uniqueItems", False))
        case "integer":
            drawn = st.integers(merged.get("minimum", -(2**63)), merged.get("maximum", 2**63 - 1))
        case "number":
            drawn = st.floats(merged.get("minimum", -1e308), merged.get("maximum", 1e308))
        case "boolean":
            drawn = st.booleans()
        case "null":
            drawn = st.none()
        case _ if merged.get("format") == "uuid":
            drawn = st.uuids() | st.uuids().map(lambda value: pgproto.UUID(str(value)))
        case _ if merged.get("format") == "date-time":
            drawn = st.datetimes(timezones=st.just(UTC))
        case _ if merged.get("format") == "date":
            drawn = st.dates()
        case _ if merged.get("format") == "decimal":
            drawn = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).map(Decimal)
        case _ if merged.get("format") == "email":
            drawn = st.just("someone@example.org")
        case _ if merged.get("format") in ("uri", "uri-reference"):
            drawn = (
                st.just("https://example.org/x") | st.just("/x")
                if merged["format"] != "uri"
                else st.just("https://x.org")
            )
        case _ if pattern and pattern != r"^[^\x00]*$":
            lengths = range(merged.get("minLength", 0), merged.get("maxLength", 500) + 1)
            drawn = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).filter(
                lambda text: len(text) in lengths
            )
        case _:
            characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
            drawn = st.text(
                characters, min_size=merged.get("minLength", 0), max_size=min(merged.get("maxLength", 9), 9)
            )
    return drawn | st.none() if "null" in types else drawn


def _object(merged, schemas, depth):
    members = {
        name: valid(member, schemas, depth + 1)
        for name, member in merged.get("properties", {}).items()
        if name != "_links" and not schemas.is_hidden(member, "response")
    }
    required = {name: drawn for name, drawn in members.items() if name in merged.get("required", ())}
    others = merged.get("additionalProperties")
    if not members and isinstance(others, dict):
        return st.dictionaries(st.text("ab", max_size=2), valid(others, schemas, depth + 1), max_size=2)
    optional = {name: drawn for name, drawn in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional if depth < 4 else {})


def spoil(value):
    """Yield a list with *value* for each place in it and each wrong value: that is there, or nothing, or one more."""
    root = [value]
    for container, key in [*_places(root)]:
        right = container[key]
        for wrong in WRONG:
            container[key] = wrong
            yield root
        container[key] = right
        if isinstance(container, dict):
            del container[key]
            yield root
            container[key] = right
    if isinstance(value, dict):
        yield [{**value, "unknown": None}]


def _places(value):
    """Yield the container and the key of every value inside *value*, in lists only of the first one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, each in inner:
        yield value, key
        yield from _places(each)


def dumped(response, result, root_path):
    """Return the body that assertions let pass, or None."""
    serialize = response._serializer(None, root_path, has_assertions=True)
    try:
        return orjson.dumps(serialize(result), option=orjson.OPT_UTC_Z)
    except (KeyError, AttributeError, TypeError, ValueError):
        return None


def body_or_error(response, result, root_path):
    """Return the body of the response without assertions, or the message of the error."""
    serialize = response._serializer(None, root_path, has_assertions=False)
    try:
        return response.from_data(serialize(result), root_path).body
    except (KeyError, AttributeError, TypeError, ValueError, ContractViolation) as error:
        return str(error)


def test_most_responses_have_assertions():
    without = {r.label for _, r, _ in RESPONSES if r._serializer(None, "", has_assertions=True) is None}
    assert without == WITHOUT_ASSERTIONS


@pytest.mark.hypothesis
@pytest.mark.parametrize(("response", "schemas"), DIFFERENT)
def test_assertions_let_valid_responses_pass_and_no_others(response, schemas):
    @settings(SETTINGS, max_examples=examples(2))
    @given(valid(response.schema, schemas), st.sampled_from(["", "/shop"]))
    def check(value, root_path):
        body = dumped(response, value, root_path)
        assert body is not None
        assert body == body_or_error(response, value, root_path)
        assert body == dumped(response, as_objects(value), root_path)
        for (wrong,) in spoil(value):
            passed = dumped(response, wrong, root_path)
            assert passed is None or passed == body_or_error(response, wrong, root_path)

    check()


@SETTINGS
@given(CASES, st.sampled_from(WRONG))
def test_assertions_of_any_schema_let_no_invalid_value_pass(case, wrong):
    schema, values = case
    representations = MarshmallowSchemas(JsonSchemas(Document({"components": {}})))
    serializers, load = Serializers(representations, {}, {}), representations.deserializer(schema)
    serialize = serializers.for_schema(schema, has_assertions=True)
    validator = representations.schemas.validator(schema, "response")
    for value in [*values, wrong]:
        try:
            result = (
                load(value) if load and representations.schemas.validator(schema, "request").is_valid(value) else value
            )
        except (TypeError, ValueError):
            result = value
        if serialize:
            try:
                body = orjson.dumps(serialize(result), option=orjson.OPT_UTC_Z)
            except (KeyError, AttributeError, TypeError, ValueError):
                continue
            assert validator.is_valid(orjson.loads(body)), (schema, result)


def test_unproven_value_is_validated_as_a_whole():
    """A time that is not in UTC is valid, but its text is left to the validator."""
    representations = MarshmallowSchemas(JsonSchemas(Document({"components": {}})))
    serialize = Serializers(representations, {}, {}).for_schema(
        {"type": "string", "format": "date-time"}, has_assertions=True
    )
    assert serialize(MOMENT) == MOMENT
    with pytest.raises(Unproven):
        serialize(MOMENT.astimezone(timezone(timedelta(hours=1))))


def test_recursive_schema_that_narrows_a_property_of_its_base_has_one_serializer_for_all_levels():
    """Each level is said twice, by the base and by the schema itself, and so are the levels below it."""
    base = {"properties": {"name": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Node"}}}
    node = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": base["properties"]}], "type": "object"}
    schemas = JsonSchemas(Document({"components": {"schemas": {"Base": {"type": "object", **base}, "Node": node}}}))
    serializers = Serializers(MarshmallowSchemas(schemas), {}, {})
    serialize = serializers.for_schema({"$ref": "#/components/schemas/Node"}, has_assertions=True)
    nested = {"parent": {"parent": {"parent": {"name": "root"}}}}
    assert serialize(nested) == nested
    with pytest.raises(Unproven):
        serialize({"parent": {"parent": {"parent": {"name": 1}}}})


@pytest.mark.parametrize("format_", ["byte", "decimal"])
def test_text_has_the_pattern_of_its_format_and_its_own(format_):
    schemas = JsonSchemas(Document({"components": {}}))
    schema = {"type": "array", "items": {"type": ["string", "null"], "format": format_, "pattern": "^1"}}
    serialize = Serializers(MarshmallowSchemas(schemas), {}, {}).for_schema(schema, has_assertions=True)
    number = Decimal if format_ == "decimal" else str
    assert serialize([number("1234"), None]) == ["1234", None]
    for wrong in (number("2345"), "1-"):
        with pytest.raises(Unproven):
            serialize([wrong])
