"""Parsers of scalars: turn the text of a parameter, a form field or a cell into a JSON value."""

import re
from collections.abc import Callable
from typing import Any

from accord.contract.json_schemas import JsonSchemas, Validator

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)

ParseScalar = Callable[[str], Any]


def _integer(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> Any:
    return float(text) if _NUMBER.fullmatch(text) else text


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _null(text: str) -> Any:
    return None if text in ("", "null") else text


# Parsers by JSON type. A string needs none.
SCALARS: dict[str, ParseScalar | None] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
    "string": None,
}


def scalar_parser(schema: Any, schemas: JsonSchemas, validator: Validator) -> ParseScalar | None:
    """
    Return the parser of the scalars of *schema*; None if the text is the value.

    Text that cannot be parsed is returned as it is, and fails validation. Among several types, the first one with a
    valid value counts, and `string` is last. Raises KeyError with the name of a type that is not a scalar.
    """
    parsers = [SCALARS[kind] for kind in schemas.types(schema) or ["string"]]
    if len(parsers) == 1:
        return parsers[0]
    candidates = [parse for parse in parsers if parse]

    def parse_any(text: str) -> Any:
        values = [parse(text) for parse in candidates]
        return next((value for value in values if value is not text and validator.is_valid(value)), text)

    return parse_any if candidates else None
