"""CSV (RFC 4180): JSON objects as rows, written and read by their schema so that the one undoes the other."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.parsers.scalars import scalar_parser
from accord.engine.problems import ErrorDetail, Problem, body_error

# What a spreadsheet takes for a formula, or a reader for nothing, gets an apostrophe; so does what looks as if it had.
_GUARDED = re.compile("'*(?:[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|\\Z)")
_ITEM = re.compile(r"(?:^|\|)((?:\\[\\|]|[^|])*)", re.DOTALL)

_MAX_DEPTH = 10


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


class CsvRenderer:
    """
    Writes the items of a list as rows, under the names of their members.

    A member of a nested object is a column with both names, such as `category.id`; `_links` are left out.
    """

    def __init__(self, schema: Any, marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError if *schema* is no array of objects, or a member fits in no cell."""
        self._schemas = marshmallow_schemas.schemas
        item = self._schemas.merged(schema).get("items")
        shape = marshmallow_schemas.for_schema(item)
        if shape is None:
            raise error_at(schema, "text/csv has the schema of its rows, an array of objects, which this is not.")
        self._always = shape.minimal
        self._columns = list(self._of(item, ()))

    def render(self, value: Any, fields: list[str] | None = None) -> bytes:
        """Return the items of *value*, a list or a page of one, with the columns that *fields* choose."""
        kept = self._always.union(fields) if fields else None
        columns = [(path, cell) for path, cell in self._columns if kept is None or path[0] in kept]
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([".".join(path) for path, _ in columns])
        for row in value if isinstance(value, list) else value["items"]:
            writer.writerow([cell.write(_lookup(row, path)) for path, cell in columns])
        return text.getvalue().encode()

    def _of(self, schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], CsvCell]]:
        shapes = [self._schemas.merged(choice).get("properties") or {} for choice in self._schemas.alternatives(schema)]
        for name, member in shapes[0].items():
            if name == "_links" or self._schemas.merged(member).get("writeOnly"):
                continue
            if "object" in self._schemas.types(member) and len(path) < _MAX_DEPTH:
                yield from self._of(member, (*path, name))
                continue
            try:
                yield (*path, name), CsvCell(member, self._schemas)
            except KeyError as error:
                raise error_at(member, f"{name}: a value of type {error} fits in no cell of text/csv.") from None


class CsvParser:
    """Reads CSV as an array of objects, whose members the header row names."""

    def __init__(self, schema: Any, schemas: JsonSchemas) -> None:
        """Raise ContractError if *schema* is no array of objects with members that fit in cells."""
        self._cells: dict[str, CsvCell] = {}
        flat = schemas.merged(schema)
        members = schemas.merged(flat.get("items")).get("properties")
        if not members:
            raise error_at(
                schema, "a body of text/csv has the schema of its rows, an array of objects, which this is not."
            )
        for name, member in members.items():
            try:
                self._cells[name] = CsvCell(member, schemas)
            except KeyError as error:
                raise error_at(member, f"{name}: a value of type {error} fits in no cell of text/csv.") from None
        self._max_rows = flat["maxItems"] + 1 if "maxItems" in flat else None

    def parse(self, raw: bytes) -> list[dict[str, Any]]:
        """Return the rows, at most one more than may be; raises a 400 Problem if *raw* is no table in UTF-8."""
        try:
            lines = filter(None, csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
            header = next(lines, [])
            rows = list(islice(lines, self._max_rows))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Problem(400, f"The body is not CSV in UTF-8: {error}.") from None
        if faults := list(_header_errors(header, rows)):
            raise Problem(400, "The body is not a table; see errors.", faults[:100])
        return [dict(self._members(header, row)) for row in rows]

    def _members(self, header: list[str], row: list[str]) -> Iterator[tuple[str, Any]]:
        for name, text in zip(header, row, strict=True):
            cell = self._cells.get(name)
            if cell is None:
                yield name, text  # The schema refuses it, with a fault for each row.
            elif text:
                yield name, cell.read(text)
            elif cell.is_nullable:
                yield name, None


def _header_errors(header: list[str], rows: list[list[str]]) -> Iterator[ErrorDetail]:
    for name in [name for name, count in Counter(header).items() if count > 1]:
        yield body_error(pointer([0, name]), "The column is there more than once.", "repeated")
    for n, row in enumerate(rows):
        if len(row) != len(header):
            yield body_error(pointer([n]), f"The row has {len(row)} cells, the header {len(header)}.", "ragged")
        for name, text in zip(header, row, strict=False):
            if "\0" in name + text:
                yield body_error(pointer([n, name]), "The text has a NUL character.", "nul")


def _lookup(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if value else None
    return value


def _unquoted(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
