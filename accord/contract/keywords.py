"""The keywords and formats of JSON Schema 2020-12 and OpenAPI 3.1 that a Schema Object can have, and their effect."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

Value = Literal[
    "a schema",
    "a list of schemas",
    "a mapping of schemas",
    "a non-negative integer",
    "a number",
    "a number above zero",
    "a string",
    "true or false",
    "a list of unique strings",
    "a mapping of lists of unique strings",
    "a list",
    "a list of values",
    "a mapping",
    "a type",
    "any value",
]
"""The kind of value that a keyword has, as error messages name it."""


class Keyword(NamedTuple):
    """A keyword: the kind of its value, and the JSON types that it constrains. No types are all types."""

    value: Value
    types: tuple[str, ...] = ()


_NUMBER, _STRING, _ARRAY, _OBJECT = ("number", "integer"), ("string",), ("array",), ("object",)

KEYWORDS = {
    # Core
    "$ref": Keyword("a string"),
    "$defs": Keyword("a mapping of schemas"),
    "$id": Keyword("a string"),
    "$anchor": Keyword("a string"),
    "$schema": Keyword("a string"),
    "$comment": Keyword("a string"),
    # Applicators
    "allOf": Keyword("a list of schemas"),
    "anyOf": Keyword("a list of schemas"),
    "oneOf": Keyword("a list of schemas"),
    "not": Keyword("a schema"),
    "if": Keyword("a schema"),
    "then": Keyword("a schema"),
    "else": Keyword("a schema"),
    "dependentSchemas": Keyword("a mapping of schemas", _OBJECT),
    "properties": Keyword("a mapping of schemas", _OBJECT),
    "patternProperties": Keyword("a mapping of schemas", _OBJECT),
    "additionalProperties": Keyword("a schema", _OBJECT),
    "propertyNames": Keyword("a schema", _OBJECT),
    "prefixItems": Keyword("a list of schemas", _ARRAY),
    "items": Keyword("a schema", _ARRAY),
    "contains": Keyword("a schema", _ARRAY),
    "unevaluatedItems": Keyword("a schema", _ARRAY),
    "unevaluatedProperties": Keyword("a schema", _OBJECT),
    # Validation
    "type": Keyword("a type"),
    "enum": Keyword("a list of values"),
    "const": Keyword("any value"),
    "multipleOf": Keyword("a number above zero", _NUMBER),
    "maximum": Keyword("a number", _NUMBER),
    "exclusiveMaximum": Keyword("a number", _NUMBER),
    "minimum": Keyword("a number", _NUMBER),
    "exclusiveMinimum": Keyword("a number", _NUMBER),
    "maxLength": Keyword("a non-negative integer", _STRING),
    "minLength": Keyword("a non-negative integer", _STRING),
    "pattern": Keyword("a string", _STRING),
    "maxItems": Keyword("a non-negative integer", _ARRAY),
    "minItems": Keyword("a non-negative integer", _ARRAY),
    "uniqueItems": Keyword("true or false", _ARRAY),
    "maxContains": Keyword("a non-negative integer", _ARRAY),
    "minContains": Keyword("a non-negative integer", _ARRAY),
    "maxProperties": Keyword("a non-negative integer", _OBJECT),
    "minProperties": Keyword("a non-negative integer", _OBJECT),
    "required": Keyword("a list of unique strings", _OBJECT),
    "dependentRequired": Keyword("a mapping of lists of unique strings", _OBJECT),
    "format": Keyword("a string"),
    # Annotations
    "title": Keyword("a string"),
    "description": Keyword("a string"),
    "default": Keyword("any value"),
    "deprecated": Keyword("true or false"),
    "readOnly": Keyword("true or false"),
    "writeOnly": Keyword("true or false"),
    "examples": Keyword("a list"),
    "contentEncoding": Keyword("a string"),
    "contentMediaType": Keyword("a string"),
    "contentSchema": Keyword("a schema"),
    # OpenAPI 3.1
    "discriminator": Keyword("a mapping"),
    "xml": Keyword("a mapping"),
    "externalDocs": Keyword("a mapping"),
    "example": Keyword("any value"),
}
"""Every keyword that a Schema Object can have. Others refuse to start, except for the known extensions."""

ANNOTATIONS = frozenset(
    {
        "$comment", "title", "description", "default", "deprecated", "examples", "contentEncoding", "contentMediaType",
        "contentSchema", "discriminator", "xml", "externalDocs", "example",
    }
)  # fmt: skip
"""Keywords that describe values and constrain none."""

REFUSED = {
    "$dynamicRef": "write `$ref`, because a contract has no schemas that others extend",
    "$dynamicAnchor": "write `$anchor`, because a contract has no schemas that others extend",
    "$recursiveRef": "write `$ref`, because draft 2019-09 is another dialect",
    "$recursiveAnchor": "write `$anchor`, because draft 2019-09 is another dialect",
    "$vocabulary": "remove it, because it belongs to meta-schemas",
    "nullable": "write `type: [<type>, 'null']`, because it is a keyword of OpenAPI 3.0",
    "definitions": "write `$defs`, because it is a keyword of draft 7",
    "dependencies": "write `dependentRequired` or `dependentSchemas`, because it is a keyword of draft 7",
    "additionalItems": "write `prefixItems` and `items`, because it is a keyword of draft 7",
    "id": "write `$id`, because it is a keyword of draft 4",
    "divisibleBy": "write `multipleOf`, because it is a keyword of draft 3",
    "extends": "write `allOf`, because it is a keyword of draft 3",
    "disallow": "write `not`, because it is a keyword of draft 3",
}
"""Keywords of other dialects and those that cannot be enforced, each with what to do."""

DEPENDS_ON = {
    "if": ("then", "else"),
    "then": ("if",),
    "else": ("if",),
    "minContains": ("contains",),
    "maxContains": ("contains",),
}
"""Keywords without effect unless one of these is beside them."""

LIMITS = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minContains", "maxContains"),
    ("minProperties", "maxProperties"),
)
"""Pairs of keywords with the smallest and the greatest value."""

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

IMPLIED: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "decimal": {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    "byte": {"pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"},
}
"""The constraints that a format implies. An integer without a format has those of `int64`."""

ASSERTED_FORMATS = {
    **dict.fromkeys(
        (
            "date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4", "ipv6", "iri",
            "iri-reference", "json-pointer", "regex", "relative-json-pointer", "time", "uri", "uri-reference",
            "uri-template", "uuid",
        ),
        _STRING,
    ),
    "byte": _STRING,
    "decimal": _STRING,
    "int32": _NUMBER,
    "int64": _NUMBER,
}  # fmt: skip
"""The formats that values must have, each with the types that it constrains."""

ANNOTATION_FORMATS = {
    "binary": _STRING,
    "password": _STRING,
    "float": _NUMBER,
    "double": _NUMBER,
}
"""The formats that constrain no value, each with the types that it describes."""


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield place and value of each schema that is directly within *schema*. Values of the wrong kind are left out."""
    for word, value in schema.items():
        kind = KEYWORDS[word].value if word in KEYWORDS else None
        if kind == "a schema":
            yield (word,), value
        elif kind == "a list of schemas" and isinstance(value, list):
            yield from (((word, str(n)), part) for n, part in enumerate(value))
        elif kind == "a mapping of schemas" and isinstance(value, dict):
            yield from (((word, name), part) for name, part in value.items())
