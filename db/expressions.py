"""SQL constructs for both databases: a subquery as a list, rows as one JSON parameter, and upserts."""

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import JSON, Dialect, Select, String, Subquery, Text, TypeDecorator, bindparam, cast, column, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from db import Base


def upsert(model: type[Base]) -> Insert:
    """
    Return an INSERT into the table of *model* that takes `on_conflict_do_update` and `on_conflict_do_nothing`.

    SQLite's compiler also writes these clauses of PostgreSQL's INSERT, because both databases have the same syntax.
    """
    return insert(model)


class TextList(TypeDecorator[list[str]]):
    """A list of texts."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(Text()))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        # The driver of PostgreSQL returns a list, which the type ARRAY would copy item by item.
        return orjson.loads if dialect.name == "sqlite" else None


class array_subquery(FunctionElement[list[str]]):  # noqa: N801  # It is used like the function `func.count`.
    """The texts of a correlated `select(column)` as one list, in its order, so that a page needs one query."""

    type = TextList()
    inherit_cache = True
    name = "array_subquery"

    def __init__(self, texts: Select[str]) -> None:
        super().__init__(texts.scalar_subquery())


@compiles(array_subquery, "postgresql")
def _array(element: array_subquery, compiler: SQLCompiler, **options: Any) -> str:
    return f"ARRAY{compiler.process(element.clauses, **options)}"


@compiles(array_subquery, "sqlite")
def _json_array(element: array_subquery, compiler: SQLCompiler, **options: Any) -> str:
    column = element.clauses.clauses[0].element.exported_columns[0].name
    texts = compiler.process(element.clauses, **options)
    return f"(SELECT json_group_array({column}) FROM {texts})"  # noqa: S608  # Both come from SQLAlchemy.


def json_rows(name: str, /, **columns: TypeEngine[Any]) -> Subquery:
    """
    Return a subquery of rows that are passed as one JSON parameter, so that the SQL does not depend on their number.

    The value of the parameter *name* is a list of rows, each a sequence of JSON values and UUIDs in the order of the
    columns: `WANTED.all(session, wanted=[(product_id, 3), …])`.
    """
    row = _elements(bindparam(name, type_=JSON())).table_valued(column("value", JSON())).c.value
    values = (
        cast(row[position].as_string(), type_).label(name) for position, (name, type_) in enumerate(columns.items())
    )
    return select(*values).subquery(name)


class _elements(FunctionElement[Any]):  # noqa: N801  # It is used like a function.
    """The elements of a JSON array, as rows."""

    inherit_cache = True
    name = "elements"


@compiles(_elements, "postgresql")
def _json_array_elements(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    # The planner expects 100 rows of `json_array_elements`, for which it reads the whole other table, but 10 of an
    # array, for which it uses an index.
    elements = f"SELECT json_array_elements({compiler.process(element.clauses, **options)})"
    return f"(SELECT unnest(ARRAY({elements})) AS value)"


@compiles(_elements, "sqlite")
def _json_each(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"
