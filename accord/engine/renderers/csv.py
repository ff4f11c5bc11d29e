"""JSON objects as rows of CSV (RFC 4180), written by their schema."""

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


def _lookup(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if value else None
    return value
