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
        self._has_rows = statement.is_select or bool(statement.exported_columns)
        self._column_names = list(values)
        self._plans: dict[str, StatementPlan] = {}

    def all(self, session: Session, **values: Any) -> list[Values]:
        """Return all rows for these values of the parameters, each as a dict."""
        if not isinstance(session, UnitOfWorkSession):
            return _row_factory(self.statement, None)([tuple(row) for row in session.execute(self.statement, values)])
        plan = self._plan(session.dialect)
        return plan.row_dicts(session.fetch(plan.sql, plan.arguments(values)))

    def first(self, session: Session, **values: Any) -> Values | None:
        """Return the first row, None if there is none."""
        rows = self.all(session, **values)
        return rows[0] if rows else None

    def execute(self, session: Session, **values: Any) -> None:
        """Run a statement whose rows are not needed."""
        self.all(session, **values)

    def execute_later(self, session: Session, many_values: Sequence[Values]) -> None:
        """
        Run a statement without rows for each of *many_values*, before the session's next statement or its commit.

        On PostgreSQL, all of this needs one round trip. An error is raised there, so the statement must not violate a
        constraint that the caller handles.
        """
        if self._has_rows:
            raise TypeError("A statement that returns rows cannot run later.")
        if not many_values:
            return
        if not isinstance(session, UnitOfWorkSession):
            session.execute(self.statement, many_values)
        else:
            plan = self._plan(session.dialect)
            session.execute_later(plan.sql, [plan.arguments(values) for values in many_values])

    def plan_for(self, dialect_name: str) -> "StatementPlan | None":
        """Return the plan of the statement for a database, or None before it has run there."""
        return self._plans.get(dialect_name)

    def _plan(self, dialect: Dialect) -> "StatementPlan":
        plan = self._plans.get(dialect.name)
        return self._compile(dialect) if plan is None else plan

    def _compile(self, dialect: Dialect) -> "StatementPlan":
        compiler = self.statement.compile(dialect=dialect, column_keys=self._column_names or None)
        if compiler.post_compile_params:
            raise TypeError("A statement with `in_` cannot be prepared: its SQL depends on the number of values.")
        plan = StatementPlan(str(compiler), _argument_factory(compiler), _row_factory(self.statement, dialect))
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
class StatementPlan:
    """The SQL of a statement for one database, and the functions that convert its parameters and rows."""

    sql: str
    arguments: Callable[[Values], list[Any]]
    row_dicts: RowDicts


def _argument_factory(compiler: SQLCompiler) -> Callable[[Values], list[Any]]:
    """Return the function that converts values to arguments in their order, with the defaults of missing values."""
    namespace: Values = {}
    defaults = _defaults(compiler)
    arguments = []
    for n, name in enumerate(compiler.positiontup or ()):
        bind = compiler.binds[name]
        source = f"values[{name!r}]"
        if name in defaults:
            namespace[f"d{n}"] = defaults[name]
            source = f"({source} if {name!r} in values else d{n}())"
        elif not bind.required:
            namespace[f"d{n}"] = bind.effective_value
            source = f"values.get({name!r}, d{n})"
        process = bind.type.dialect_impl(compiler.dialect).bind_processor(compiler.dialect)
        if process:
            namespace[f"p{n}"] = process
            source = f"p{n}({source})"
        arguments.append(source)
    # The source consists of parameter names, as literals, and numbers.
    return define("arguments", f"def arguments(values):\n    return [{', '.join(arguments)}]\n", namespace)


def _defaults(compiler: SQLCompiler) -> dict[str, Callable[[], Any]]:
    """Return the functions that compute the defaults of the columns without a value, by column."""

    def maker(default: Any) -> Callable[[], Any]:
        # SQLAlchemy wraps a function without parameters in one that takes a context.
        function = default.arg
        return getattr(function, "__wrapped__", lambda: function(None)) if default.is_callable else lambda: function

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
