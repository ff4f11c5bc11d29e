"""Reads the text of a parameter or a form field as the JSON value that its schema asks for."""

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


SCALARS: dict[str, ParseScalar | None] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
    "string": None,
}


def scalar_parser(schema: Any, schemas: JsonSchemas, validator: Validator) -> ParseScalar | None:
    """
    Return what reads the text of a scalar; None if the text is the value.

    What cannot be read stays text, and so is refused by its schema. Where several types
    are allowed, the first that makes a valid value counts, text last. Raises KeyError if
    a type is no scalar.
    """
    kinds = schemas.types(schema) or ["string"]
    reads = [SCALARS[kind] for kind in kinds]
    if len(reads) == 1:
        return reads[0]
    tried = [read for read in reads if read]

    def read_any(text: str) -> Any:
        values = [read(text) for read in tried]
        return next((value for value in values if value is not text and validator.is_valid(value)), text)

    return read_any if tried else None
