"""Instruments the queries of all sessions in this process."""

from typing import Any

from sqlalchemy import Engine, event

from db.session import QuerySpan, UnitOfWorkSession


def instrument_queries(span: QuerySpan) -> None:
    """Run every query within the context manager `around(sql)` from now on, also those of the ORM."""
    UnitOfWorkSession.query_span = staticmethod(span)

    @event.listens_for(Engine, "before_cursor_execute")
    def begin(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.observed = span(statement)
        context.observed.__enter__()

    @event.listens_for(Engine, "after_cursor_execute")
    def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.observed.__exit__(None, None, None)

    @event.listens_for(Engine, "handle_error")
    def fail(failure: Any) -> None:
        observed = getattr(failure.execution_context, "observed", None)
        if observed:
            error = failure.original_exception
            observed.__exit__(type(error), error, error.__traceback__)
