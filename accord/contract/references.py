"""References of Schema Objects: `$id` and `$anchor` are replaced by JSON pointers into the document."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urljoin

from accord.contract.errors import error_at
from accord.contract.keywords import subschemas

VALUES = frozenset({"enum", "const", "default", "example", "value", "x-roles"})
"""Keywords with values, in which there are no schemas."""
NAMES = frozenset(
    {
        "$defs", "callbacks", "content", "dependentSchemas", "encoding", "examples", "headers", "links", "mapping",
        "parameters", "pathItems", "paths", "patternProperties", "properties", "requestBodies", "responses", "schemas",
        "scopes", "securitySchemes", "variables", "webhooks",
    }
)  # fmt: skip
"""Keywords whose members have names of the contract."""

_ANCHOR = re.compile("[A-Za-z_][A-Za-z0-9._-]*", re.ASCII)

Place = tuple[str, ...]
"""The parts of a JSON pointer."""


def is_uri(reference: str) -> bool:
    """Return whether *reference* begins with a scheme, such as `https:` (RFC 3986, section 3.1)."""
    return re.match("[A-Za-z][A-Za-z0-9+.-]+:", reference) is not None


def pointer_parts(fragment: str) -> list[str]:
    """Return the parts of a JSON pointer that is the *fragment* of a URI reference (RFC 6901, section 6)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in unquote(fragment).split("/")[1:]]


def fragment(place: Place) -> str:
    """Return *place* as the fragment of a URI reference, such as `#/components/schemas/Product`."""
    return "".join(["#", *(f"/{_quote(part)}" for part in place)])


@lru_cache(maxsize=10_000)
def _quote(part: str) -> str:
    return quote(part.replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@")


def schema_roots(node: Any, place: Place = (), is_names: bool = False) -> Iterator[tuple[Place, Any]]:
    """Yield place and value of each Schema Object of the document *node* that is within no other one."""
    match node:
        case dict():
            for key, value in node.items():
                here = (*place, key)
                if key == "schema" and not is_names:
                    yield here, value
                elif place == ("components",) and key == "schemas" and isinstance(value, dict):
                    yield from (((*here, name), schema) for name, schema in value.items())
                elif is_names or key not in VALUES:
                    yield from schema_roots(value, here, not is_names and key in NAMES)
        case list():
            for n, item in enumerate(node):
                yield from schema_roots(item, (*place, str(n)))


def schema_objects(document: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield place and value of each Schema Object of *document* that is a mapping, each once."""
    seen: set[int] = set()
    pending = list(schema_roots(document))[::-1]
    while pending:
        place, schema = pending.pop()
        if isinstance(schema, dict) and id(schema) not in seen:
            seen.add(id(schema))
            yield place, schema
            pending += [((*place, *inner), part) for inner, part in subschemas(schema)][::-1]


def replace_identifiers(schemas: list[tuple[Place, dict[str, Any]]]) -> None:
    """
    Make each reference of *schemas* to a `$id` or an `$anchor` a JSON pointer, and remove these identifiers.

    *schemas* are all `schema_objects` of a document.

    A `$id` changes the base of the references within it, so pointers into the document would mean something else there.
    Raises ContractError for a reference to another document, and for an identifier that two schemas have.
    """
    if not any("$id" in schema or "$anchor" in schema or _is_other(schema.get("$ref")) for _, schema in schemas):
        return
    bases: dict[Place, str] = {(): ""}
    places: dict[str, Place] = {"": ()}
    for place, schema in schemas:
        base = _base(bases, place)
        if isinstance(schema.get("$id"), str):
            if "#" in schema["$id"].removesuffix("#"):
                raise error_at(schema, f"`$id` {schema['$id']} must have no fragment; write an `$anchor` beside it.")
            base = _join(schema, base, schema["$id"].removesuffix("#"))
            bases[place] = base
            _add(places, base, place, schema)
        if isinstance(schema.get("$anchor"), str):
            if not _ANCHOR.fullmatch(schema["$anchor"]):
                raise error_at(schema, f"`$anchor` {schema['$anchor']!r} must be a name, such as `item`; correct it.")
            _add(places, f"{base}#{schema['$anchor']}", place, schema)
    for place, schema in schemas:
        base, reference = _base(bases, place), schema.get("$ref")
        if isinstance(reference, str) and (base or _is_other(reference)):
            schema["$ref"] = fragment(_target(schema, _join(schema, base, reference), places))
    for _, schema in schemas:
        _remove_identifiers(schema)


def _remove_identifiers(schema: dict[str, Any]) -> None:
    for keyword in ("$id", "$anchor"):
        if isinstance(schema.get(keyword), str):
            del schema[keyword]


def _join(schema: Any, base: str, reference: str) -> str:
    if reference.startswith("#"):
        # The standard library does not resolve fragments against a URN.
        return base + reference
    try:
        return urljoin(base, reference)
    except ValueError:
        raise error_at(schema, f"{reference} is no URI; correct it.") from None


def _is_other(reference: Any) -> bool:
    """Return whether *reference* is something else than a JSON pointer into the document."""
    return isinstance(reference, str) and not reference.startswith("#/")


def _base(bases: dict[Place, str], place: Place) -> str:
    """Return the base URI of the schema at *place*, which is the `$id` of the nearest schema around it."""
    return next(bases[place[:size]] for size in range(len(place), -1, -1) if place[:size] in bases)


def _add(places: dict[str, Place], identifier: str, place: Place, schema: Any) -> None:
    if identifier in places:
        raise error_at(schema, f"{identifier} is also the identifier of {fragment(places[identifier])}; rename one.")
    places[identifier] = place


def _target(schema: Any, reference: str, places: dict[str, Place]) -> Place:
    resource, _, inner = reference.partition("#")
    inner = unquote(inner)
    if not inner.startswith("/") and inner:
        resource, inner = f"{resource}#{inner}", ""
    if resource not in places:
        if "#" in resource and resource.partition("#")[0] in places:
            raise error_at(schema, f"{reference} refers to nothing; correct the reference, or add the `$anchor`.")
        message = f"{reference} is in another document, and the engine reads files only; copy the schema into a file."
        raise error_at(schema, message)
    return (*places[resource], *pointer_parts(inner))
