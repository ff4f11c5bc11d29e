"""Instrumentation of the queries of all sessions in this process."""

from typing import Any

from sqlalchemy import Engine, event

from db.session import QuerySpan, UnitOfWorkSession


def instrument_queries(span: QuerySpan) -> None:
    """Run every query from now on within the context manager `span(sql)`, those of the ORM included."""
    UnitOfWorkSession.query_span = staticmethod(span)

    @event.listens_for(Engine, "before_cursor_execute")
    def begin(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.query_span = span(statement)
        context.query_span.__enter__()

    @event.listens_for(Engine, "after_cursor_execute")
    def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.query_span.__exit__(None, None, None)

    @event.listens_for(Engine, "handle_error")
    def fail(failure: Any) -> None:
        query_span = getattr(failure.execution_context, "query_span", None)
        if query_span:
            error = failure.original_exception
            query_span.__exit__(type(error), error, error.__traceback__)
