"""The cells of CSV (RFC 4180): values as text, written and read by their schema so that the one undoes the other."""

import re
from typing import Any

import orjson

from accord.contract.json_schemas import JsonSchemas
from accord.engine.parsers.scalars import scalar_parser

# What a spreadsheet takes for a formula, or a reader for nothing, gets an apostrophe; so does what looks as if it had.
_GUARDED = re.compile("'*(?:[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|\\Z)")
_ITEM = re.compile(r"(?:^|\|)((?:\\[\\|]|[^|])*)", re.DOTALL)


class CsvCell:
    """
    How the values of a scalar, or of a list of scalars, are the text of a cell.

    An empty cell is null, or a member that is not there. The items of a list stand between `|`, and a
    backslash before one that belongs to an item. Text that a spreadsheet could take for a formula, and
    text that is empty, has an apostrophe before it.
    """

    def __init__(self, schema: Any, schemas: JsonSchemas) -> None:
        """Raise KeyError for a schema of anything else."""
        kinds = schemas.types(schema)
        self.is_list, self.is_nullable = "array" in kinds, "null" in kinds
        item = schemas.merged(schema).get("items", {}) if self.is_list else schema
        flat = schemas.merged(item)
        types = [kind for kind in schemas.types(item) if kind != "null"]
        self._read_one = scalar_parser({"type": types} if types else {}, schemas, schemas.validator(item, "request"))
        self._is_text = "string" in (types or ["string"]) and flat.get("format") != "decimal"

    def write(self, value: Any) -> str:
        if value is None or value == []:
            return ""
        if isinstance(value, list):
            text = "|".join(re.sub(r"[\\|]", r"\\\g<0>", _unquoted(item)) for item in value)
        else:
            text = _unquoted(value)
        return f"'{text}" if self._is_text and _GUARDED.match(text) else text

    def read(self, text: str) -> Any:
        """Return the value of a cell that is not empty; what cannot be read stays text."""
        if self._is_text and text.startswith("'") and _GUARDED.match(text):
            text = text[1:]
        if not self.is_list:
            return self._read_one(text) if self._read_one else text
        items = [re.sub(r"\\([\\|])", r"\1", item) for item in _ITEM.findall(text)]
        return [self._read_one(item) for item in items] if self._read_one else items


def _unquoted(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
