"""Which error is which problem, for operations and for pages."""

from collections.abc import Iterator

from flask import request
from werkzeug.exceptions import HTTPException

from accord import errors as business
from accord.engine import problems
from accord.engine.context import context_of
from accord.engine.problems import ErrorDetail, ExceptionHandlers, Problem, body_error, parameter_error
from db.errors import DatabaseUnavailable, RequestInProgress
from db.pagination import InvalidCursor


def page_problem(error: HTTPException) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Return what Flask sends for *error*: a problem, as the contract's operations do."""
    detail = "There is nothing at this path." if error.code == 404 else error.description or ""
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    accept = request.headers.get("Accept", "").encode("latin-1")
    problem = Problem(error.code or 500, detail, headers=headers)
    status, fields, body = problems.response(problem, context_of(request.environ["asgi.scope"]), accept)
    return body, status, [(name.decode(), value.decode("latin-1")) for name, value in fields]


def _told(status: int, error: business.ServiceError) -> Problem:
    return Problem(status, str(error), [fault for each in error.errors or [error] for fault in _fault(each)])


def _fault(error: business.ServiceError) -> Iterator[ErrorDetail]:
    if error.pointer is not None:
        yield body_error(error.pointer, str(error), error.code)
    elif error.parameter is not None:
        yield parameter_error("query", error.parameter, str(error), error.code)


def _cursor_problem(error: InvalidCursor) -> Problem:
    return Problem(400, str(error), [parameter_error("query", "cursor", str(error), "malformed")])


ERRORS = ExceptionHandlers(
    {
        InvalidCursor: _cursor_problem,
        business.Unauthenticated: lambda error: Problem(
            401, str(error), headers={"WWW-Authenticate": 'Bearer realm="api"'}
        ),
        business.NotFound: lambda error: _told(404, error),
        business.Conflict: lambda error: _told(409, error),
        business.Invalid: lambda error: _told(422, error),
        RequestInProgress: 409,
        DatabaseUnavailable: lambda error: Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}),
    }
)
"""The table; a subclass follows its base."""
