"""The shapes of the contract: what is compiled equals what marshmallow does."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.renderers.serializer import Serializers
from tests.engine.test_any_schema import CASES, SETTINGS
from tests.support.examples import examples

ROOT = Path(__file__).parents[2]
HOUSE = Document.read(ROOT / "openapi/v1/openapi.yaml")
SHAPES = MarshmallowSchemas(JsonSchemas(HOUSE))
COMPONENTS = [
    name
    for name in HOUSE.raw["components"]["schemas"]
    if SHAPES.for_schema({"$ref": f"#/components/schemas/{name}"}) is not None
]
PYTHON = {
    "date": st.dates(),
    "date-time": st.datetimes(timezones=st.just(UTC)),
    "uuid": st.uuids(),
    "decimal": st.decimals(-(10**9), 10**9, places=2),
}


def values(schema, schemas, depth=0):
    """Return Python values of *schema*, as a handler would return them; they need not fit bounds and patterns."""
    flat, kinds = schemas.merge(schema), schemas.types(schema)
    if "enum" in flat:
        return st.sampled_from(flat["enum"])
    for word in ("anyOf", "oneOf"):
        if word in flat and SHAPES.for_schema(schema):
            return values(flat[word][0], schemas, depth)  # The whole, of which others are parts.
        if word in flat:
            return st.sampled_from(flat[word]).flatmap(lambda choice: values(choice, schemas, depth))
    kind = next((kind for kind in kinds if kind != "null"), "null")
    match kind:
        case "object":
            made = _objects(flat, schemas, depth)
        case "array":
            made = st.lists(values(flat.get("items", {}), schemas, depth + 1), max_size=2 if depth < 3 else 0)
        case _ if flat.get("format") in PYTHON and kind in ("string", "number"):
            made = PYTHON[flat["format"]]
        case "integer":
            made = st.integers(-(2**53), 2**53)
        case "number":
            made = st.floats(-1e9, 1e9)
        case "boolean":
            made = st.booleans()
        case "null":
            made = st.none()
        case _:
            made = st.text("aé☃", max_size=3)
    return made | st.none() if "null" in kinds else made


def _objects(flat, schemas, depth):
    members = {name: member for name, member in flat.get("properties", {}).items() if name != "_links"}
    drawn = {name: values(member, schemas, depth + 1) for name, member in members.items()}
    required = {name: drawn[name] for name in flat.get("required", ()) if name in drawn}
    optional = {} if depth > 3 else {name: member for name, member in drawn.items() if name not in required}
    others = flat.get("additionalProperties")
    if not members and isinstance(others, dict):
        return st.dictionaries(st.text("ab", max_size=2), values(others, schemas, depth + 1), max_size=2)
    return st.fixed_dictionaries(required, optional=optional)


def plain(value):
    """Return *value* as the JSON it becomes, moments with `Z`."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z, default=_text))


def _text(value):
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def as_objects(value):
    """Return *value* with an object of attributes for each mapping, as an entity has them."""
    match value:
        case dict():
            return SimpleNamespace(**{name: as_objects(inner) for name, inner in value.items()})
        case list():
            return [as_objects(item) for item in value]
    return value


def without_links(made):
    match made:
        case dict():
            return {name: without_links(value) for name, value in made.items() if name != "_links"}
        case list():
            return [without_links(item) for item in made]
    return made


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", COMPONENTS)
def test_compiled_dump_of_every_component_equals_that_of_marshmallow(name):
    schema = {"$ref": f"#/components/schemas/{name}"}
    dump, shape = Serializers(SHAPES, {}, {}).for_schema(schema), SHAPES.for_schema(schema)()

    @settings(SETTINGS, max_examples=examples(4))
    @given(values(schema, SHAPES.schemas))
    def check(value):
        expected = without_links(plain(shape.dump(value)))
        assert without_links(plain(dump(value))) == expected
        assert without_links(plain(dump(Wrapped(value)))) == expected

    check()


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", COMPONENTS)
def test_compiled_load_of_every_component_equals_that_of_marshmallow(name):
    schema = {"$ref": f"#/components/schemas/{name}"}
    load, shape = SHAPES.deserializer(schema), SHAPES.for_schema(schema)()

    @settings(SETTINGS, max_examples=examples(4))
    @given(values(schema, SHAPES.schemas))
    def check(value):
        body = {
            key: inner
            for key, inner in plain(value).items()
            if key not in shape.dump_fields.keys() - shape.load_fields.keys()
        }
        try:
            expected = shape.load(body)
        except ValidationError:  # An optional object in it lacks what a checked body would have.
            return
        assert (load(body) if load else body) == expected

    check()


@SETTINGS
@given(CASES)
def test_compiled_dump_and_load_of_any_schema_equal_those_of_marshmallow(case):
    schema, sent = case
    representations = MarshmallowSchemas(JsonSchemas(Document({"components": {}})))
    field = representations.field(schema)
    load, dump = representations.deserializer(schema), Serializers(representations, {}, {}).for_schema(schema)
    validator = representations.schemas.validator(schema, "request")
    for body in filter(validator.is_valid, sent):
        value = load(body) if load else body
        assert value == field.deserialize(body)
        if _is_shown_by_marshmallow(schema):
            shown = field.serialize("value", {"value": value})
            assert plain(dump(value) if dump else value) == plain(shown)


def _is_shown_by_marshmallow(schema):
    """
    Return whether marshmallow shows each value of *schema* as it is.

    It leaves out members that it does not know, and takes a method of a dictionary for a member that is missing.
    """
    match schema:
        case {"properties": dict(named)} if any(hasattr(dict, name) for name in named):
            return False
        case {"properties": _, "additionalProperties": others} if others is not False:
            return False
        case {"patternProperties": _}:
            return False
        case dict():
            return all(map(_is_shown_by_marshmallow, schema.values()))
        case list():
            return all(map(_is_shown_by_marshmallow, schema))
    return True


class Wrapped(Mapping):
    """A mapping that is no dict, as a row is."""

    def __init__(self, inner):
        self.inner = inner

    def __getitem__(self, name):
        return self.inner[name]

    def __iter__(self):
        return iter(self.inner)

    def __len__(self):
        return len(self.inner)


TREE = {
    "type": "object",
    "required": ["name", "children"],
    "properties": {
        "name": {"type": "string"},
        "on": {"type": ["string", "null"], "format": "date"},
        "parent": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        "by": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Tree"}},
        "secret": {"type": "string", "writeOnly": True},
        "id": {"type": "string", "format": "uuid", "readOnly": True},
    },
}
TREE_REFERENCE = {"$ref": "#/components/schemas/Tree"}


@pytest.fixture(scope="module")
def tree():
    representations = MarshmallowSchemas(JsonSchemas(Document({"components": {"schemas": {"Tree": TREE}}})))
    schema = {"$ref": "#/components/schemas/Tree"}
    return representations.deserializer(schema), Serializers(representations, {}, {}).for_schema(schema)


def test_tree_is_loaded_and_dumped_at_every_depth(tree):
    load, dump = tree
    body = {
        "name": "a",
        "children": [{"name": "b", "children": [], "on": "2026-01-31", "parent": None}],
        "by": {"x": {"name": "c", "children": [], "on": None}},
        "parent": {"name": "d", "children": []},
    }
    value = load(body)
    assert value["children"][0]["on"] == date(2026, 1, 31)
    assert value["by"]["x"]["on"] is None
    assert plain(dump(value)) == body


def test_entity_is_dumped_by_its_attributes_also_those_it_computes(tree):
    class Node:
        def __init__(self, name):
            self.name = name
            self.id = UUID(int=1)
            self.secret = "sesame"

        @property
        def children(self):
            return [] if self.name == "leaf" else [Node("leaf")]

    leaf = {"name": "leaf", "children": [], "id": str(UUID(int=1))}
    assert plain(tree[1](Node("a"))) == {**leaf, "name": "a", "children": [leaf]}
    assert (
        plain(tree[1](as_objects({"name": "x", "children": [{"name": "leaf", "children": []}]})))["children"][0]["name"]
        == "leaf"
    )


def test_entity_with_all_at_hand_is_dumped_from_its_dict():
    schema = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    }
    dump = Serializers(MarshmallowSchemas(JsonSchemas(Document({}))), {}, {}).for_schema(schema)

    class Row:
        b = 2

    row = Row()
    row.a = 1
    assert dump(row) == {"a": 1, "b": 2}
    row.b = 3
    assert dump(row) == {"a": 1, "b": 3}


def test_required_member_that_is_lacking_is_an_error(tree):
    with pytest.raises((KeyError, AttributeError)):
        tree[1]({"children": []})
    with pytest.raises(AttributeError):
        tree[1](SimpleNamespace(children=[]))


def test_moment_is_dumped_in_utc_or_not_at_all():
    shape = SHAPES.for_schema({"$ref": "#/components/schemas/Category"})
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert shape(only=("created_at",)).dump({"created_at": moment}) == {"created_at": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize("beside", [{}, {"xml": {"name": "it"}, "description": "It."}, {"minProperties": 1}], ids=str)
def test_alternatives_have_the_component_of_the_first_one(beside):
    part = {**TREE, "required": ["name"]}
    schemas = {
        "Tree": TREE,
        "Part": part,
        "View": {"anyOf": [TREE_REFERENCE, {"$ref": "#/components/schemas/Part"}], **beside},
    }
    representations = MarshmallowSchemas(JsonSchemas(Document({"components": {"schemas": schemas}})))
    representation = representations.for_schema({"$ref": "#/components/schemas/View"})
    assert representation.component == "Tree"
    assert (representation.required, representation.minimal) == ({"name", "children"}, {"name"})
