"""The objects of OpenAPI 3.1 with their fields, and the errors of a document that has others.

The source is section 4.8 of the OpenAPI Specification 3.1.1. Of Schema Objects only these objects are checked.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from accord.contract.document import METHODS, Document
from accord.contract.errors import ContractError, error_at

Form = Any
"""
What a value must be: `TEXT`, `FLAG`, `ANY`, a tuple of texts, the name of an object in `OBJECTS`, a list with the form
of its items, or a dict with the form of its values under the `KeyPattern` that they have.
"""

TEXT, FLAG, ANY = str, bool, object


class KeyPattern(NamedTuple):
    """The keys of a map: a pattern, and what it is in words."""

    pattern: str
    description: str


NAME = KeyPattern(r"(?s:.*)", "a name")
PATH = KeyPattern(r"/.*", "a path that begins with `/`")
STATUS = KeyPattern(r"[1-5](\d\d|XX)|default", "a status such as 404, a range such as 4XX, or default")
COMPONENT = KeyPattern(r"[a-zA-Z0-9._-]+", "a name of letters, digits, dots, hyphens and underscores")

_PARAMETER_FIELDS: dict[str, Form] = {
    "description": TEXT,
    "required": FLAG,
    "deprecated": FLAG,
    "style": TEXT,
    "explode": FLAG,
    "schema": ANY,
    "content": {NAME: "Media Type Object"},
    "example": ANY,
    "examples": {NAME: "Example Object"},
}

OBJECTS: dict[str, dict[str, Form]] = {
    "OpenAPI Object": {
        "openapi!": TEXT,
        "info!": "Info Object",
        "jsonSchemaDialect": TEXT,
        "servers": ["Server Object"],
        "paths": {PATH: "Path Item Object"},
        "webhooks": {NAME: "Path Item Object"},
        "components": "Components Object",
        "security": [{NAME: [TEXT]}],
        "tags": ["Tag Object"],
        "externalDocs": "External Documentation Object",
        "x-rate-limits": "Rate Limits",
        "x-common-responses": {STATUS: "Response Object"},
        "x-common-headers": {NAME: {NAME: "Header Object"}},
        "x-cache-profiles": {NAME: {NAME: ANY}},
    },
    "Rate Limits": {"default": [TEXT], "policies": {NAME: {NAME: ANY}}},
    "Info Object": {
        "title!": TEXT,
        "summary": TEXT,
        "description": TEXT,
        "termsOfService": TEXT,
        "contact": "Contact Object",
        "license": "License Object",
        "version!": TEXT,
    },
    "Contact Object": {"name": TEXT, "url": TEXT, "email": TEXT},
    "License Object": {"name!": TEXT, "identifier": TEXT, "url": TEXT},
    "Server Object": {"url!": TEXT, "description": TEXT, "variables": {NAME: "Server Variable Object"}},
    "Server Variable Object": {"enum": [TEXT], "default!": TEXT, "description": TEXT},
    "Components Object": {
        "schemas": {COMPONENT: ANY},
        "responses": {COMPONENT: "Response Object"},
        "parameters": {COMPONENT: "Parameter Object"},
        "examples": {COMPONENT: "Example Object"},
        "requestBodies": {COMPONENT: "Request Body Object"},
        "headers": {COMPONENT: "Header Object"},
        "securitySchemes": {COMPONENT: "Security Scheme Object"},
        "links": {COMPONENT: "Link Object"},
        "callbacks": {COMPONENT: "Callback Object"},
        "pathItems": {COMPONENT: "Path Item Object"},
    },
    "Path Item Object": {
        "summary": TEXT,
        "description": TEXT,
        **dict.fromkeys(METHODS, "Operation Object"),
        "servers": ["Server Object"],
        "parameters": ["Parameter Object"],
    },
    "Operation Object": {
        "tags": [TEXT],
        "summary": TEXT,
        "description": TEXT,
        "externalDocs": "External Documentation Object",
        "operationId": TEXT,
        "parameters": ["Parameter Object"],
        "requestBody": "Request Body Object",
        "responses": {STATUS: "Response Object"},
        "callbacks": {NAME: "Callback Object"},
        "deprecated": FLAG,
        "security": [{NAME: [TEXT]}],
        "servers": ["Server Object"],
        "x-openapi-router-controller": TEXT,
        "x-rate-limit": [TEXT],
        "x-cache-profile": TEXT,
        "x-successor": TEXT,
    },
    "External Documentation Object": {"description": TEXT, "url!": TEXT},
    "Parameter Object": {
        "name!": TEXT,
        "in!": ("query", "header", "path", "cookie"),
        "allowEmptyValue": FLAG,
        "allowReserved": FLAG,
        **_PARAMETER_FIELDS,
    },
    "Header Object": _PARAMETER_FIELDS,
    "Request Body Object": {"description": TEXT, "content!": {NAME: "Media Type Object"}, "required": FLAG},
    "Media Type Object": {
        "schema": ANY,
        "example": ANY,
        "examples": {NAME: "Example Object"},
        "encoding": {NAME: "Encoding Object"},
    },
    # Its other keys are expressions, each with a Path Item Object.
    "Callback Object": {},
    "Encoding Object": {
        "contentType": TEXT,
        "headers": {NAME: "Header Object"},
        "style": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
        "explode": FLAG,
        "allowReserved": FLAG,
    },
    "Response Object": {
        "description!": TEXT,
        "headers": {NAME: "Header Object"},
        "content": {NAME: "Media Type Object"},
        "links": {NAME: "Link Object"},
    },
    "Example Object": {"summary": TEXT, "description": TEXT, "value": ANY, "externalValue": TEXT},
    "Link Object": {
        "operationRef": TEXT,
        "operationId": TEXT,
        "parameters": {NAME: TEXT},
        "requestBody": ANY,
        "description": TEXT,
        "server": "Server Object",
    },
    "Discriminator Object": {"propertyName!": TEXT, "mapping": {NAME: TEXT}},
    "XML Object": {"name": TEXT, "namespace": TEXT, "prefix": TEXT, "attribute": FLAG, "wrapped": FLAG},
    "Tag Object": {"name!": TEXT, "description": TEXT, "externalDocs": "External Documentation Object"},
    "Security Scheme Object": {
        "type!": ("apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"),
        "description": TEXT,
        "name": TEXT,
        "in": ("query", "header", "cookie"),
        "scheme": TEXT,
        "bearerFormat": TEXT,
        "flows": "OAuth Flows Object",
        "openIdConnectUrl": TEXT,
        "x-roles": {NAME: [TEXT]},
        **dict.fromkeys(("x-bearerInfoFunc", "x-tokenInfoFunc", "x-apikeyInfoFunc", "x-basicInfoFunc"), TEXT),
    },
    "OAuth Flows Object": {
        "implicit": "Implicit Flow Object",
        "password": "Token Flow Object",
        "clientCredentials": "Token Flow Object",
        "authorizationCode": "Code Flow Object",
    },
    # OpenAPI has one OAuth Flow Object, whose required URLs depend on the flow.
    "Implicit Flow Object": {"authorizationUrl!": TEXT, "refreshUrl": TEXT, "scopes!": {NAME: TEXT}},
    "Token Flow Object": {"tokenUrl!": TEXT, "refreshUrl": TEXT, "scopes!": {NAME: TEXT}},
    "Code Flow Object": {"authorizationUrl!": TEXT, "tokenUrl!": TEXT, "refreshUrl": TEXT, "scopes!": {NAME: TEXT}},
}
"""The fields of each object. A field with `!` is required."""

_ALTERNATIVES = {
    "Parameter Object": [("schema", "content")],
    "Header Object": [("schema", "content")],
    "Link Object": [("operationRef", "operationId")],
}
"""Fields of which an object must have exactly one."""

_STYLES: dict[str, dict[str, tuple[str, ...]]] = {
    "Header Object": {"None": ("simple",)},
    "Parameter Object": {
        "path": ("matrix", "label", "simple"),
        "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
        "header": ("simple",),
        "cookie": ("form",),
    },
}
"""The styles of an object, by its `in`."""

_REQUIRED_BY_TYPE = {
    "apiKey": ("name", "in"),
    "http": ("scheme",),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
"""The fields that a Security Scheme Object must have, by its type."""

_REFERENCE = ("$ref", "summary", "description")
_IN_SCHEMAS = {
    "discriminator": "Discriminator Object",
    "xml": "XML Object",
    "externalDocs": "External Documentation Object",
}
"""The keywords of Schema Objects whose values are objects of OpenAPI."""


def object_errors(document: Document) -> Iterator[Exception]:
    """Yield a ContractError for each unknown, missing or ill-typed field of *document*, or else for each reference.

    A reference must lead to an object of the kind that is expected.
    """
    errors = list(_errors(document.raw, "OpenAPI Object", document.raw, "the document", None))
    yield from errors or _reference_errors(document)


def errors_in_schema(schema: dict[str, Any]) -> Iterator[Exception]:
    """Yield a ContractError for each field of an object within the Schema Object *schema*, as `object_errors` does."""
    for word, form in _IN_SCHEMAS.items():
        if isinstance(schema.get(word), dict):
            yield from _errors(schema[word], form, schema, f"`{word}`", word)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the advice for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    nearest = get_close_matches(name, names, 1)
    return f"did you mean {_quote(nearest[0])}?" if nearest else f"known: {', '.join(names) or 'none'}."


def _reference_errors(document: Document) -> Iterator[Exception]:
    objects = list(_objects(document.raw, "OpenAPI Object"))
    forms: dict[int, str] = {id(value): form for value, form in objects}
    for value, form in objects:
        if "$ref" in value:
            try:
                target = document.lookup(value)
                document.resolve(value)
            except ContractError as error:
                yield error
                continue
            if forms.get(id(target)) != form:
                yield error_at(value, f"{value['$ref']} refers to no {form}; correct the reference.", "$ref")


def _objects(value: Any, form: Form) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object within a well-formed *value*, with its name in `OBJECTS`."""
    if isinstance(form, list):
        for item in value:
            yield from _objects(item, form[0])
    elif isinstance(form, dict):
        (inner,) = form.values()
        for key, member in value.items():
            yield from _objects(member, inner) if not _is_extension(key) else ()
    elif form == "Callback Object" and "$ref" not in value:
        yield value, form
        yield from _objects(value, {NAME: "Path Item Object"})
    elif isinstance(form, str):
        yield value, form
        fields = {field.rstrip("!"): each for field, each in OBJECTS[form].items()}
        for key, member in value.items():
            yield from _objects(member, fields.get(key, ANY))


def _errors(value: Any, form: Form, parent: Any, name: str, key: str | None) -> Iterator[Exception]:
    """Yield the errors of *value*, which is at *key* of *parent* and has the *name* in messages."""
    if form is ANY:
        return
    if error := _type_error(value, form):
        yield error_at(parent, f"{name} must be {error}, not {_describe(value)}.", key)
    elif isinstance(form, list):
        for n, item in enumerate(value):
            yield from _errors(item, form[0], parent, f"item {n + 1} of {name}", key)
    elif isinstance(form, dict):
        if STATUS in form and not value:
            yield error_at(parent, f"{name} is empty; declare the responses.", key)
        yield from _map_errors(value, *next(iter(form.items())), name)
    elif form == "Callback Object" and "$ref" not in value:
        yield from _map_errors(value, NAME, "Path Item Object", name)
    elif isinstance(form, str):
        yield from _object_errors(value, form, name)


def _map_errors(value: dict[str, Any], keys: KeyPattern, form: Form, name: str) -> Iterator[Exception]:
    for member, item in value.items():
        if re.fullmatch(keys.pattern, member):
            yield from _errors(item, form, value, f"`{member}` of {name}", member)
        elif not _is_extension(member):
            yield error_at(value, f"`{member}` of {name} must be {keys.description}; rename it.", member)


def _object_errors(value: dict[str, Any], form: str, name: str) -> Iterator[Exception]:
    fields = {field.rstrip("!"): each for field, each in OBJECTS[form].items()}
    if form in _STYLES:
        fields["style"] = _STYLES[form].get(str(value.get("in")), TEXT)
    if "$ref" in value:
        fields = dict.fromkeys(_REFERENCE, TEXT) | fields
    else:
        for required in _required_fields(value, form):
            if required not in value:
                yield error_at(value, f"{name} lacks `{required}`, which this {form} must have; add it.")
        for alternatives in _ALTERNATIVES.get(form, ()):
            if len(value.keys() & alternatives) != 1:
                yield error_at(value, f"{name} must have exactly one of {' and '.join(map(_quote, alternatives))}.")
    for key, member in value.items():
        if key in fields:
            yield from _errors(member, fields[key], value, f"`{key}`", key)
        elif not _is_extension(key):
            yield error_at(value, f"`{key}` is not a field of the {form}; {suggestion(key, fields)}", key)


def _required_fields(value: dict[str, Any], form: str) -> Iterator[str]:
    for field in OBJECTS[form]:
        if field.endswith("!"):
            yield field[:-1]
    if form == "Security Scheme Object":
        yield from _REQUIRED_BY_TYPE.get(str(value.get("type")), ())
    if form == "Parameter Object" and value.get("in") == "path":
        yield "required"


def _type_error(value: Any, form: Form) -> str | None:
    """Return what a value of this form is, unless *value* is one."""
    match form:
        case type() if form is TEXT:
            return None if isinstance(value, str) else "a string"
        case type():
            return None if isinstance(value, bool) else "true or false"
        case tuple():
            return None if value in form else f"one of {', '.join(form)}"
        case list():
            return None if isinstance(value, list) else "a list"
        case dict():
            return None if isinstance(value, dict) else "a mapping"
    return None if isinstance(value, dict) else f"a mapping, the {form}"


def _describe(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the string {value[:50]!r}"
    return f"the number {value}"


def _quote(name: str) -> str:
    return f"`{name}`"


def _is_extension(key: str) -> bool:
    return key.startswith("x-")
