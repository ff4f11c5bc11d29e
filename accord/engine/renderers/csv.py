"""JSON objects as rows of CSV (RFC 4180), written by their schema."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from accord.contract.errors import at
from accord.engine.csv_cell import Cell
from accord.engine.marshmallow_schemas import Representations

_DEEPEST = 10


class Rows:
    """
    Writes the items of a list as rows, under the names of their members.

    A member of a nested object is a column with both names, such as `category.id`; `_links` are left out.
    """

    def __init__(self, schema: Any, representations: Representations) -> None:
        """Raise ContractError if *schema* is no array of objects, or a member fits in no cell."""
        self._schemas = representations.schemas
        item = self._schemas.flat(schema).get("items")
        shape = representations.of(item)
        if shape is None:
            raise at(schema, "text/csv has the schema of its rows, an array of objects, which this is not.")
        self._always = shape.fewest
        self._columns = list(self._of(item, ()))

    def write(self, value: Any, fields: list[str] | None = None) -> bytes:
        """Return the items of *value*, a list or a page of one, with the columns that *fields* choose."""
        kept = self._always.union(fields) if fields else None
        columns = [(path, cell) for path, cell in self._columns if kept is None or path[0] in kept]
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([".".join(path) for path, _ in columns])
        for row in value if isinstance(value, list) else value["items"]:
            writer.writerow([cell.write(_inside(row, path)) for path, cell in columns])
        return text.getvalue().encode()

    def _of(self, schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Cell]]:
        shapes = [self._schemas.flat(choice).get("properties") or {} for choice in self._schemas.choices(schema)]
        for name, member in shapes[0].items():
            if name == "_links" or self._schemas.flat(member).get("writeOnly"):
                continue
            if "object" in self._schemas.kinds(member) and len(path) < _DEEPEST:
                yield from self._of(member, (*path, name))
                continue
            try:
                yield (*path, name), Cell(member, self._schemas)
            except KeyError as error:
                raise at(member, f"{name}: a value of type {error} fits in no cell of text/csv.") from None


def _inside(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if value else None
    return value
