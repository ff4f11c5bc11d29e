"""Schemas say all there is to say: what is closed, bounded and known cannot surprise anybody."""

import re
from itertools import chain

import pytest
from jsonschema_specifications import REGISTRY

from tests.support.operations import OPERATIONS, PUBLISHED

KEYWORDS = {"example", "discriminator", "xml", "externalDocs", "x-shown-once", "x-unique"} | {
    keyword for url in REGISTRY if "draft/2020-12/meta/" in url for keyword in REGISTRY.contents(url)["properties"]
}
LENGTH_IS_KNOWN = {"uuid", "date", "date-time"}
FREE_OF_NUL = {"uuid", "date", "date-time", "email", "uri", "uri-reference"}


def within(schema, where):
    """Yield a schema and all schemas in it, each with its place."""
    yield where, schema
    for keyword in ("properties", "patternProperties"):
        for name, inner in schema.get(keyword, {}).items():
            yield from within(inner, f"{where}/{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from within(schema[keyword], f"{where}/{keyword}")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(keyword, []):
            yield from within(inner, where)


def followed(document, schema, where):
    """Yield as `within` does, and what is referred to."""
    for place, inner in within(schema, where):
        yield (place, inner) if "$ref" not in inner else (place, {})
        if "$ref" in inner:
            yield from followed(document, document.resolve(inner), place)


def declared(node, where):
    """Yield every schema that is written in place."""
    match node:
        case dict():
            for key, inner in node.items():
                if key == "schema":
                    yield from within(inner, where)
                elif key != "schemas":
                    yield from declared(inner, f"{where}/{key}")
        case list():
            for inner in node:
                yield from declared(inner, where)


def bodies(operation):
    return operation.resolve(operation.spec.get("requestBody", {})).get("content", {}).values()


SENT = [
    sent
    for operation in OPERATIONS
    for place, schema in [
        *((p["name"], p["schema"]) for p in operation.parameters if p["in"] != "header"),
        *(("body", content["schema"]) for content in bodies(operation)),
    ]
    for sent in followed(operation.document, schema, f"{operation.id}/{place}")
]


@pytest.fixture(scope="module", params=PUBLISHED)
def document(request):
    return PUBLISHED[request.param]


@pytest.fixture(scope="module")
def every(document):
    """Every schema of the document, each with its place."""
    components = document.raw["components"]["schemas"].items()
    return [*chain.from_iterable(within(schema, name) for name, schema in components), *declared(document.raw, "")]


def kinds(schema):
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else kind


def wrong(schemas, kind, is_right):
    return sorted({where for where, schema in schemas if kind in kinds(schema) and not is_right(schema)})


def test_every_keyword_is_known(every):
    assert [(where, unknown) for where, schema in every if (unknown := set(schema) - KEYWORDS)] == []


def test_every_string_has_a_length(every):
    bounds = {"maxLength", "enum", "const"}
    assert wrong(every, "string", lambda s: bounds & set(s) or s.get("format") in LENGTH_IS_KNOWN) == []


def test_every_object_is_closed(every):
    assert wrong(every, "object", lambda s: s.get("additionalProperties", True) is not True) == []


def test_every_array_has_a_length(document, every):
    def is_right(schema):
        return "items" in schema and ("maxItems" in schema or "maxItems" in document.resolve(schema["items"]))

    assert wrong(every, "array", is_right) == []


def test_every_number_that_is_sent_has_bounds():
    for kind in ("integer", "number"):
        assert wrong(SENT, kind, {"minimum", "maximum"}.issubset) == []


def test_every_name_that_is_sent_excludes_nul():
    """Names are declared, so that no text of a client reaches a handler as a name."""
    assert wrong(SENT, "object", lambda s: s.get("additionalProperties") is False) == []


def test_every_text_that_is_sent_excludes_nul():
    """JSON allows U+0000 in strings and PostgreSQL does not, so that every schema of a request excludes it."""

    def is_right(schema):
        pattern = schema.get("pattern")
        if "contentMediaType" in schema:
            return True  # A file, which is bytes.
        return "enum" in schema or schema.get("format") in FREE_OF_NUL or (pattern and not re.search(pattern, "a\0b"))

    assert wrong(SENT, "string", is_right) == []


def test_every_id_is_a_uuid(document, every):
    members = {(place, name): schema for place, whole in every for name, schema in whole.get("properties", {}).items()}
    members |= {(o.id, p["name"]): p["schema"] for o in OPERATIONS if o.document is document for p in o.parameters}
    ids = {
        key: document.resolve(schema.get("items", schema)).get("format")
        for key, schema in members.items()
        if re.search(r"(^|_)id$", key[1])
    }
    # A request is named by whoever sends it, in a form of their own.
    assert {key[1] for key, kind in ids.items() if kind != "uuid"} == {"request_id"}


def test_every_secret_is_called_one(document, every):
    for place, whole in every:
        for name, schema in whole.get("properties", {}).items():
            if re.search(r"(^|_)(token|secret|password|key)$", name):
                assert document.resolve(schema).get("format") == "password", f"{place}/{name}"
