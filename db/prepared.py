"""Prepared statements: compiled once by SQLAlchemy, and run by the driver without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Dialect, Float, Select
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from db.session import UnitOfWorkSession

Values = dict[str, Any]
Dicts = Callable[[Sequence[Sequence[Any]]], list[Values]]


class prepare:  # noqa: N801  # It reads as a function of the statement.
    """
    A statement whose rows are dicts; a column labelled `category__name` is the name of the category.

        PRODUCT = compiled(select(…).where(Product.id == bindparam("id")))
        product = PRODUCT.first(session, id=product_id)

    It sees the changes of its transaction. Of an insert or update, `given` names the columns
    whose values come with each call; the others get their defaults. Identifiers may be given as
    text, and are returned as UUIDs.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]] | UpdateBase, *, values: Sequence[str] = ()) -> None:
        self.statement = statement
        self._given = list(values)
        self._plans: dict[str, _Plan] = {}

    def all(self, session: Session, **values: Any) -> list[Values]:
        """Return all rows for these values of the parameters."""
        if not isinstance(session, UnitOfWorkSession):
            return _row_factory(self.statement, None)([tuple(row) for row in session.execute(self.statement, values)])
        dialect = session.dialect
        plan = self._plans.get(dialect.name)
        if plan is None:
            plan = self._plan(dialect)
        return plan.dicts(session.fetch(plan.sql, plan.arguments(values)))

    def first(self, session: Session, **values: Any) -> Values | None:
        """Return the first row, None if there is none."""
        rows = self.all(session, **values)
        return rows[0] if rows else None

    def execute(self, session: Session, **values: Any) -> None:
        """Run a statement whose rows are not needed."""
        self.all(session, **values)

    def _plan(self, dialect: Dialect) -> "_Plan":
        done = self.statement.compile(dialect=dialect, column_keys=self._given or None)
        if done.post_compile_params:
            raise TypeError("A statement with `in_` cannot be prepared: its SQL depends on the number of values.")
        names = tuple(done.positiontup or ())
        processors = [done.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
        plan = _Plan(
            sql=str(done),
            names=names,
            processors=processors if any(processors) else None,
            fixed={name: bind.effective_value for name, bind in done.binds.items() if not bind.required},
            defaults=_defaults(done),
            dicts=_row_factory(self.statement, dialect),
        )
        self._plans[dialect.name] = plan
        return plan


@dataclass(frozen=True, slots=True)
class _Plan:
    """The SQL of a statement for one database, and how to convert its parameters and rows."""

    sql: str
    names: tuple[str, ...]
    processors: Sequence[Callable[[Any], Any] | None] | None
    fixed: Values
    defaults: dict[str, Callable[[], Any]]
    dicts: Dicts

    def arguments(self, values: Values) -> list[Any]:
        if self.fixed or self.defaults:
            values = self.fixed | {name: make() for name, make in self.defaults.items()} | values
        given = [values[name] for name in self.names]
        if self.processors is None:
            return given
        return [process(value) if process else value for process, value in zip(self.processors, given, strict=True)]


def _defaults(done: SQLCompiler) -> dict[str, Callable[[], Any]]:
    """Return the functions that make the defaults of the columns that are not given."""

    def maker(default: Any) -> Callable[[], Any]:
        return (lambda: default.arg(None)) if default.is_callable else (lambda: default.arg)

    inserted: list[Column[Any]] = list(done.insert_prefetch)
    updated: list[Column[Any]] = list(done.update_prefetch)
    return {c.key: maker(c.default) for c in inserted} | {c.key: maker(c.onupdate) for c in updated}


def _row_factory(statement: Any, dialect: Dialect | None) -> Dicts:
    """Compile the function that makes dicts of rows; without a dialect, the values need no conversion."""
    namespace: Values = {}
    tree: Values = {}
    columns = list(statement.exported_columns) if statement.is_select or statement._returning else []
    for n, column in enumerate(columns):
        process = _result_processor(column.type, dialect) if dialect else None
        if process:
            namespace[f"p{n}"] = process
        *parents, last = column.key.split("__")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = f"p{n}(c{n})" if process else f"c{n}"
    names = "".join(f"c{n}, " for n in range(len(columns)))
    # The source consists of column labels and numbers only.
    exec(f"def dicts(rows):\n    return [{_source(tree)} for {names or '_'} in rows]", namespace)  # noqa: S102
    return namespace["dicts"]  # type: ignore[no-any-return]


def _source(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "{" + ", ".join(f"{key!r}: {_source(value)}" for key, value in node.items()) + "}"


def _result_processor(type_: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    # The type codes of float8 and numeric in PostgreSQL; other types do not use the code.
    number = 701 if isinstance(type_, Float) else 1700
    return type_.dialect_impl(dialect).result_processor(dialect, number)  # type: ignore[no-any-return]
