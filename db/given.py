"""Rows that are handed to a statement as one value, so that it is the same statement for one row and for a hundred."""

from typing import Any

from sqlalchemy import JSON, Subquery, bindparam, cast, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


def given(name: str, **columns: TypeEngine[Any]) -> Subquery:
    """
    Rows to select from, with these columns.

    Bound to the name is a list of rows, each a list of what JSON can say, in the order of the
    columns: `WANTED.all(session, wanted=[[str(product_id), 3], …])`.
    """
    row = _elements(bindparam(name, type_=JSON())).table_valued(column("value", JSON())).c.value
    values = (
        cast(row[position].as_string(), type_).label(name) for position, (name, type_) in enumerate(columns.items())
    )
    return select(*values).subquery(name)


class _elements(FunctionElement[Any]):  # noqa: N801  # It is used as a function.
    """The elements of a JSON array, as rows."""

    inherit_cache = True
    name = "elements"


@compiles(_elements, "postgresql")
def _of_postgresql(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements({compiler.process(element.clauses, **options)})"


@compiles(_elements, "sqlite")
def _of_sqlite(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"
