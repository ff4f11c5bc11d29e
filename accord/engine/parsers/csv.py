"""Parser of CSV (RFC 4180): rows become objects, whose values have the types of the schema."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.engine.csv_cell import CsvCell
from accord.engine.problems import ErrorDetail, Problem, body_error

_MAX_ERRORS = 100


class CsvParser:
    """Parses CSV into a list of objects. The header row has the names of their properties."""

    def __init__(self, schema: Any, schemas: JsonSchemas) -> None:
        """Raise ContractError unless *schema* is an array of objects with scalars or lists of scalars."""
        self._cells: dict[str, CsvCell] = {}
        rows = schemas.merge(schema)
        members = schemas.merge(rows.get("items")).get("properties")
        if not members:
            raise error_at(schema, "the schema of a text/csv body must be that of its rows, an array of objects.")
        for name, member in members.items():
            try:
                self._cells[name] = CsvCell(member, schemas)
            except KeyError as error:
                message = f"{name}: a cell of text/csv cannot have type {error}; use scalars or lists of scalars."
                raise error_at(member, message) from None
        self._max_rows = rows["maxItems"] + 1 if "maxItems" in rows else None

    def parse(self, raw: bytes) -> list[dict[str, Any]]:
        """Return the rows, at most one more than the schema allows. Raises a 400 Problem if *raw* is not a table."""
        try:
            lines = filter(None, csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
            header = next(lines, [])
            rows = list(islice(lines, self._max_rows))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Problem(400, f"The body is not CSV in UTF-8: {error}.") from None
        if errors := list(_table_errors(header, rows)):
            raise Problem(400, "The body is not a table; see errors.", errors[:_MAX_ERRORS])
        return [dict(self._members(header, row)) for row in rows]

    def _members(self, header: list[str], row: list[str]) -> Iterator[tuple[str, Any]]:
        for name, text in zip(header, row, strict=True):
            cell = self._cells.get(name)
            if cell is None:
                # The schema reports unknown properties, with an error for each row.
                yield name, text
            elif text:
                yield name, cell.read(text)
            elif cell.is_nullable:
                yield name, None


def _table_errors(header: list[str], rows: list[list[str]]) -> Iterator[ErrorDetail]:
    for name in [name for name, count in Counter(header).items() if count > 1]:
        yield body_error(pointer([0, name]), "The column is repeated.", "repeated")
    for n, row in enumerate(rows):
        if len(row) != len(header):
            yield body_error(pointer([n]), f"The row has {len(row)} cells, the header {len(header)}.", "ragged")
        for name, text in zip(header, row, strict=False):
            if "\0" in name + text:
                yield body_error(pointer([n, name]), "The text has a NUL character.", "nul")
