"""Validation of Schema Objects: each keyword must be known, have a valid value, and have an effect where it is."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from accord.contract import keywords
from accord.contract.document import Document
from accord.contract.errors import ContractError, error_at
from accord.contract.keywords import KEYWORDS, Value
from accord.contract.openapi_objects import errors_in_schema
from accord.contract.schema_views import conjuncts

DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.1/dialect/base",
    "https://spec.openapis.org/oas/3.1/dialect/2024-10-25",
    "https://spec.openapis.org/oas/3.1/dialect/2024-11-10",
)
"""The dialects of JSON Schema that `jsonSchemaDialect` and `$schema` can name. They have the same keywords."""

_HINTS = {
    ("exclusiveMinimum", bool): "it is the bound itself since OpenAPI 3.1, in place of `minimum`",
    ("exclusiveMaximum", bool): "it is the bound itself since OpenAPI 3.1, in place of `maximum`",
    ("items", list): "write `prefixItems` for a list",
    ("required", bool): "it belongs to the object, and lists names of its properties",
    ("examples", dict): "only parameters and media types have examples with names",
}


def schema_errors(document: Document) -> Iterator[Exception]:
    """
    Yield a ContractError for each error in a Schema Object of *document*, and for each number that JSON cannot have.

    The structure of the document is that of OpenAPI: each schema is a mapping, `true` or `false`.
    """
    errors = list(_dialect_errors(document.raw, "jsonSchemaDialect"))
    errors += _number_errors(document.raw)
    known = {id(schema) for _, schema in document.schema_objects}
    for _, schema in document.schema_objects:
        errors += _keyword_errors(schema)
        errors += _effect_errors(schema)
        errors += _reference_errors(schema, document, known)
    yield from errors
    if not errors:
        errors += _cycle_errors(document)
        yield from errors
    if not errors:
        yield from _closed_errors(document)


def _keyword_errors(schema: dict[str, Any]) -> Iterator[Exception]:
    yield from _dialect_errors(schema, "$schema")
    yield from errors_in_schema(schema)
    for word, value in schema.items():
        if word in keywords.REFUSED:
            yield error_at(schema, f"`{word}` cannot be enforced; {keywords.REFUSED[word]}.", word)
        elif word not in KEYWORDS:
            if not word.startswith("x-"):
                yield error_at(schema, f"unknown keyword `{word}`; {_suggestion(word, KEYWORDS, 'remove it')}.", word)
        elif not _VALUES[KEYWORDS[word].value](value):
            hint = next((hint for (key, kind), hint in _HINTS.items() if key == word and isinstance(value, kind)), None)
            message = f"`{word}` must be {KEYWORDS[word].value}, not {_json(value)}"
            if word == "type":
                message = f"unknown type {_json(value)}; {_suggestion(value, keywords.TYPES, 'write ' + _TYPE_NAMES)}"
            yield error_at(schema, f"{message}; {hint}." if hint else f"{message}.", word)
        elif word in ("pattern", "patternProperties"):
            for pattern in [value] if word == "pattern" else value:
                if not _is_pattern(pattern):
                    yield error_at(schema, f"the pattern {_json(pattern)} is no regular expression; correct it.", word)


def _effect_errors(schema: dict[str, Any]) -> Iterator[Exception]:
    """Yield an error for each keyword of *schema* that has no effect, and for limits that no value can keep."""
    types = _types(schema)
    for word, value in schema.items():
        constrained = KEYWORDS[word].types if word in KEYWORDS else ()
        name = f"`{word}`"
        if word == "format" and isinstance(value, str):
            known = keywords.ASSERTED_FORMATS | keywords.ANNOTATION_FORMATS
            if value not in known:
                message = _suggestion(value, known, f"known: {', '.join(sorted(known))}")
                yield error_at(schema, f"unknown format `{value}`; {message}.", word)
            constrained, name = known.get(value, ()), f"format `{value}`"
        if types and constrained and types.isdisjoint(constrained):
            message = f"{name} has no effect on type {', '.join(sorted(types))}; remove it, or correct the type."
            yield error_at(schema, message, word)
        needed = keywords.DEPENDS_ON.get(word)
        if needed and schema.keys().isdisjoint(needed):
            yield error_at(schema, f"`{word}` has no effect without `{'` or `'.join(needed)}`; add or remove it.", word)
    for least, most in keywords.LIMITS:
        if _is_number(schema.get(least)) and _is_number(schema.get(most)) and schema[least] > schema[most]:
            yield error_at(schema, f"`{least}` is above `{most}`; correct one.", most)


def _reference_errors(schema: dict[str, Any], document: Document, known: set[int]) -> Iterator[Exception]:
    """*known* are the ids of all Schema Objects."""
    if isinstance(schema.get("$ref"), str):
        try:
            target = document.lookup(schema)
        except ContractError as error:
            yield error
            return
        if id(target) not in known and not isinstance(target, bool):
            yield error_at(schema, f"{schema['$ref']} refers to no schema; correct the reference.", "$ref")


def _cycle_errors(document: Document) -> Iterator[Exception]:
    """Yield an error for each schema that applies to a value only if it applies to the same value."""
    done: set[int] = set()
    for _, start in document.schema_objects:
        path: list[int] = []
        pending = [(start, False)]
        while pending:
            schema, is_left = pending.pop()
            if is_left:
                done.add(path.pop())
            elif id(schema) in path:
                yield error_at(schema, "the schema refers to itself for the same value; break the cycle.")
                done.update(path)
                break
            elif id(schema) not in done:
                path.append(id(schema))
                pending.append((schema, True))
                pending += [(part, False) for part in _in_place(schema, document) if isinstance(part, dict)]


def _closed_errors(document: Document) -> Iterator[Exception]:
    """Yield an error for each required name that a closed object does not have."""
    for _, schema in document.schema_objects:
        parts = list(_all_conjuncts(schema, document))
        for part in parts:
            if part.get("additionalProperties") is False:
                has_name = _names([part])
            elif part.get("unevaluatedProperties") is False:
                has_name = _names(_everything_in_place(part, document))
            else:
                continue
            for demanding in parts:
                for name in demanding.get("required", ()):
                    if not has_name(name):
                        message = f"`required` names {name}, which the closed object does not have, so that no value"
                        yield error_at(
                            demanding, f"{message} matches; add the property, or remove the name.", "required"
                        )


def _names(parts: Iterable[dict[str, Any]]) -> Callable[[str], bool]:
    """Return a function that says whether a member can have a name, according to the schemas *parts*."""
    parts = list(parts)
    names = {name for part in parts for name, member in part.get("properties", {}).items() if member is not False}
    patterns = [_pattern(pattern) for part in parts for pattern in part.get("patternProperties", ())]
    is_open = any(
        part.get(word, False) is not False
        for part in parts
        for word in ("additionalProperties", "unevaluatedProperties")
    )
    return lambda name: is_open or name in names or any(pattern.is_valid(name) for pattern in patterns)


def _all_conjuncts(schema: Any, document: Document) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in conjuncts(document, schema):
            yield from _all_conjuncts(part, document)


def _everything_in_place(schema: Any, document: Document) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in _in_place(schema, document):
            yield from _everything_in_place(part, document)


def _in_place(schema: dict[str, Any], document: Document) -> list[Any]:
    """Return the schemas within *schema* that apply to the same value."""
    parts = [document.lookup(schema)] if "$ref" in schema else []
    for word in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(word, ())
    parts += schema.get("dependentSchemas", {}).values()
    return parts + [schema[word] for word in ("not", "if", "then", "else") if word in schema]


def _dialect_errors(node: dict[str, Any], word: str) -> Iterator[Exception]:
    if word in node and str(node[word]).removesuffix("#") not in DIALECTS:
        yield error_at(
            node, f"`{word}` names {_json(node[word])}; the engine enforces {DIALECTS[0]}, so remove it.", word
        )


def _number_errors(node: Any, nearest: Any = None, word: str = "") -> Iterator[Exception]:
    """Yield an error for each number that has more than 64 bits, or is not finite."""
    match node:
        case dict():
            for key, value in node.items():
                if type(value) is not str:
                    yield from _number_errors(value, node, key)
        case list():
            for item in node:
                yield from _number_errors(item, nearest, word)
        case int() if not -(2**63) <= node < 2**64:
            yield error_at(
                nearest, f"`{word}` has the number {node}, which needs more than 64 bits; write a smaller one."
            )
        case float() if not math.isfinite(node):
            yield error_at(nearest, f"`{word}` has a number that is too large for JSON; write a smaller one.", word)


def _types(schema: dict[str, Any]) -> set[str]:
    """Return the types of *schema*, without null among others. An empty set means any type, or an invalid one."""
    declared = schema.get("type", [])
    if not _is_type(declared):
        return set()
    types = {declared} if isinstance(declared, str) else set(declared)
    return types - {"null"} or types


def _suggestion(word: Any, known: Iterable[str], otherwise: str) -> str:
    """Return what to write instead of *word*: the known word that is most similar, if there is one."""
    by_lower = {each.lower(): each for each in known}
    nearest = get_close_matches(word.lower(), by_lower, n=1) if isinstance(word, str) else []
    return f"write `{by_lower[nearest[0]]}`" if nearest else otherwise


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


def _is_pattern(pattern: str) -> bool:
    try:
        _pattern(pattern)
    except ValueError:
        return False
    return True


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value % 1 == 0


def _are_names(value: Any) -> bool:
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return is_list and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    types = value if isinstance(value, list) else [value]
    return _are_names(types) and bool(types) and set(types) <= set(keywords.TYPES)


_TYPE_NAMES = f"{', '.join(keywords.TYPES[:-1])} or {keywords.TYPES[-1]}"
_VALUES: dict[Value, Callable[[Any], bool]] = {
    "a schema": _is_schema,
    "a list of schemas": lambda value: isinstance(value, list) and bool(value) and all(map(_is_schema, value)),
    "a mapping of schemas": lambda value: isinstance(value, dict) and all(map(_is_schema, value.values())),
    "a non-negative integer": _is_size,
    "a number": _is_number,
    "a number above zero": lambda value: _is_number(value) and value > 0,
    "a string": lambda value: isinstance(value, str),
    "true or false": lambda value: isinstance(value, bool),
    "a list of unique strings": _are_names,
    "a mapping of lists of unique strings": lambda value: (
        isinstance(value, dict) and all(map(_are_names, value.values()))
    ),
    "a list": lambda value: isinstance(value, list),
    "a list of values": lambda value: isinstance(value, list) and bool(value),
    "a mapping": lambda value: isinstance(value, dict),
    "a type": _is_type,
    "any value": lambda _: True,
}
