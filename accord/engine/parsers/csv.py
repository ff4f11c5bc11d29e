"""Rows of CSV (RFC 4180) as JSON objects, read by their schema."""

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
