"""Prepared statements, which SQLAlchemy compiles once and the driver runs without SQLAlchemy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Dialect, Float, Select
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from accord.codegen import define
from db.session import UnitOfWorkSession

Values = dict[str, Any]
RowDicts = Callable[[Sequence[Sequence[Any]]], list[Values]]


class PreparedStatement:
    """
    A prepared statement, whose rows are dicts. The column labelled `category__name` is `row["category"]["name"]`.

    It sees the changes of its transaction. Ids can be passed as text, and are returned as UUIDs.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]] | UpdateBase, values: Sequence[str]) -> None:
        self.statement = statement
        self._column_names = list(values)
        self._plans: dict[str, _StatementPlan] = {}

    def all(self, session: Session, **values: Any) -> list[Values]:
        """Return all rows for these values of the parameters, each as a dict."""
        if not isinstance(session, UnitOfWorkSession):
            return _row_factory(self.statement, None)([tuple(row) for row in session.execute(self.statement, values)])
        dialect = session.dialect
        plan = self._plans.get(dialect.name)
        if plan is None:
            plan = self._compile(dialect)
        return plan.row_dicts(session.fetch(plan.sql, plan.arguments(values)))

    def first(self, session: Session, **values: Any) -> Values | None:
        """Return the first row, None if there is none."""
        rows = self.all(session, **values)
        return rows[0] if rows else None

    def execute(self, session: Session, **values: Any) -> None:
        """Run a statement whose rows are not needed."""
        self.all(session, **values)

    def _compile(self, dialect: Dialect) -> "_StatementPlan":
        compiler = self.statement.compile(dialect=dialect, column_keys=self._column_names or None)
        if compiler.post_compile_params:
            raise TypeError("A statement with `in_` cannot be prepared: its SQL depends on the number of values.")
        names = tuple(compiler.positiontup or ())
        processors = [compiler.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
        plan = _StatementPlan(
            sql=str(compiler),
            names=names,
            processors=processors if any(processors) else None,
            fixed={name: bind.effective_value for name, bind in compiler.binds.items() if not bind.required},
            defaults=_defaults(compiler),
            row_dicts=_row_factory(self.statement, dialect),
        )
        self._plans[dialect.name] = plan
        return plan


def prepare(statement: Select[*tuple[Any, ...]] | UpdateBase, *, values: Sequence[str] = ()) -> PreparedStatement:
    """
    Prepare a statement, which is compiled when it first runs.

        PRODUCT = prepare(select(…).where(Product.id == bindparam("id")))
        product = PRODUCT.first(session, id=product_id)

    For an insert or update, *values* names the columns whose values are passed with each call. The other columns get
    their defaults.
    """
    return PreparedStatement(statement, values)


@dataclass(frozen=True, slots=True)
class _StatementPlan:
    """The SQL of a statement for one database, and the functions that convert its parameters and rows."""

    sql: str
    names: tuple[str, ...]
    processors: Sequence[Callable[[Any], Any] | None] | None
    fixed: Values
    defaults: dict[str, Callable[[], Any]]
    row_dicts: RowDicts

    def arguments(self, values: Values) -> list[Any]:
        if self.fixed or self.defaults:
            values = self.fixed | {name: make() for name, make in self.defaults.items()} | values
        arguments = [values[name] for name in self.names]
        if self.processors is None:
            return arguments
        return [process(value) if process else value for process, value in zip(self.processors, arguments, strict=True)]


def _defaults(compiler: SQLCompiler) -> dict[str, Callable[[], Any]]:
    """Return the functions that compute the defaults of the columns without a value, by column."""

    def maker(default: Any) -> Callable[[], Any]:
        return (lambda: default.arg(None)) if default.is_callable else (lambda: default.arg)

    inserted: list[Column[Any]] = list(compiler.insert_prefetch)
    updated: list[Column[Any]] = list(compiler.update_prefetch)
    return {c.key: maker(c.default) for c in inserted} | {c.key: maker(c.onupdate) for c in updated}


def _row_factory(statement: Any, dialect: Dialect | None) -> RowDicts:
    """Return the function that converts rows to dicts. Without a dialect, the values need no conversion."""
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
    names = "".join(f"c{n}," for n in range(len(columns)))
    # The source consists of column labels and numbers only.
    source = f"def row_dicts(rows):\n    return [{_source(tree)} for {names or '_'} in rows]\n"
    return define("row_dicts", source, namespace)


def _source(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "{" + ", ".join(f"{key!r}: {_source(value)}" for key, value in node.items()) + "}"


def _result_processor(type_: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    # The type codes of float8 and numeric in PostgreSQL; other types do not use the code.
    number = 701 if isinstance(type_, Float) else 1700
    return type_.dialect_impl(dialect).result_processor(dialect, number)  # type: ignore[no-any-return]
