"""Cells of CSV (RFC 4180): text of the values of a schema. `CsvCell.read` is the inverse of `CsvCell.write`."""

import re
from typing import Any

import orjson

from accord.contract.json_schemas import JsonSchemas
from accord.engine.parsers.scalars import scalar_parser

# Text that a spreadsheet would run as a formula, empty text, and text that already begins with an apostrophe before
# such text get an apostrophe.
_GUARDED = re.compile("'*(?:[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|\\Z)")
_ITEM = re.compile(r"(?:^|\|)((?:\\[\\|]|[^|])*)", re.DOTALL)


class CsvCell:
    """
    Writes and reads the cells of a scalar or of a list of scalars.

    An empty cell is null or a missing property. The items of a list are separated by `|`; a `|` within an item is
    written after a backslash, and so is a backslash. Text that a spreadsheet could run as a formula, and empty text,
    get a leading apostrophe.
    """

    def __init__(self, schema: Any, schemas: JsonSchemas) -> None:
        """Raise KeyError with the name of the type if *schema* has another type."""
        types = schemas.types(schema)
        self.is_list = "array" in types
        self.is_nullable = "null" in types
        item = schemas.merge(schema).get("items", {}) if self.is_list else schema
        scalars = [kind for kind in schemas.types(item) if kind != "null"]
        schema_of_scalars = {"type": scalars} if scalars else {}
        self._parse_scalar = scalar_parser(schema_of_scalars, schemas, schemas.validator(item, "request"))
        is_decimal = schemas.merge(item).get("format") == "decimal"
        self._is_text = "string" in (scalars or ["string"]) and not is_decimal

    def write(self, value: Any) -> str:
        """Return the text of the cell of *value*."""
        if value is None or value == []:
            return ""
        if isinstance(value, list):
            text = "|".join(re.sub(r"[\\|]", r"\\\g<0>", _scalar_text(item)) for item in value)
        else:
            text = _scalar_text(value)
        return f"'{text}" if self._is_text and _GUARDED.match(text) else text

    def read(self, text: str) -> Any:
        """Return the value of a cell that is not empty. Text without such a value is returned as it is."""
        if self._is_text and text.startswith("'") and _GUARDED.match(text):
            text = text[1:]
        if not self.is_list:
            return self._parse_scalar(text) if self._parse_scalar else text
        items = [re.sub(r"\\([\\|])", r"\1", item) for item in _ITEM.findall(text)]
        return [self._parse_scalar(item) for item in items] if self._parse_scalar else items


def _scalar_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
