"""Renderer of CSV (RFC 4180): objects become rows, with the columns of their schema."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from accord.contract.errors import error_at
from accord.engine.csv_cell import CsvCell
from accord.engine.marshmallow_schemas import MarshmallowSchemas

_MAX_DEPTH = 10


class CsvRenderer:
    """
    Renders the items of a list as rows. The header row has the names of their properties.

    A property of a nested object is a column with both names, such as `category.id`. `_links` have no column.
    """

    def __init__(self, schema: Any, marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError unless *schema* is an array of objects, and their properties fit into cells."""
        self._schemas = marshmallow_schemas.schemas
        item = self._schemas.merge(schema).get("items")
        shape = marshmallow_schemas.for_schema(item)
        if shape is None:
            raise error_at(schema, "the schema of text/csv must be that of its rows, an array of objects.")
        self._minimal = shape.minimal
        self._columns = list(self._find_columns(item, ()))

    def render(self, value: Any, fields: list[str] | None = None) -> bytes:
        """Return the items of *value*, a list or a page, as CSV. *fields* are the selected properties; None is all."""
        columns = self._columns
        if fields:
            selected = self._minimal.union(fields)
            columns = [(path, cell) for path, cell in columns if path[0] in selected]
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([".".join(path) for path, _ in columns])
        for row in value if isinstance(value, list) else value["items"]:
            writer.writerow([cell.write(_lookup(row, path)) for path, cell in columns])
        return text.getvalue().encode()

    def _find_columns(self, schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], CsvCell]]:
        shapes = [self._schemas.merge(choice).get("properties") or {} for choice in self._schemas.alternatives(schema)]
        for name, member in shapes[0].items():
            if name == "_links" or self._schemas.is_hidden(member, "response"):
                continue
            if "object" in self._schemas.types(member) and len(path) < _MAX_DEPTH:
                yield from self._find_columns(member, (*path, name))
                continue
            try:
                yield (*path, name), CsvCell(member, self._schemas)
            except KeyError as error:
                message = f"{name}: a cell of text/csv cannot have type {error}; use scalars or lists of scalars."
                raise error_at(member, message) from None


def _lookup(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if value else None
    return value
