"""The table of exceptions and the problems that they become, for operations and for pages."""

from flask import request
from werkzeug.exceptions import HTTPException

from accord import errors
from accord.engine import problems
from accord.engine.context import context_of
from accord.engine.problems import ErrorDetail, ExceptionHandlers, Problem, body_error, parameter_error
from accord.storage.files import StorageUnavailable
from db.errors import DatabaseUnavailable, RequestInProgress
from db.pagination import InvalidCursor


def page_problem(error: HTTPException) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Return body, status and headers of the problem for *error*, in the form that operations send."""
    detail = "There is nothing at this path." if error.code == 404 else error.description or ""
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    accept = request.headers.get("Accept", "").encode("latin-1")
    problem = Problem(error.code or 500, detail, headers=headers)
    status, fields, body = problems.response(problem, context_of(request.environ["asgi.scope"]), accept)
    return body, status, [(name.decode(), value.decode("latin-1")) for name, value in fields]


def _service_problem(status: int, error: errors.ServiceError) -> Problem:
    details = [_error_detail(each) for each in error.errors or [error]]
    return Problem(status, str(error), [detail for detail in details if detail])


def _error_detail(error: errors.ServiceError) -> ErrorDetail | None:
    """Return the entry in `errors`; None for an error without a place."""
    if error.pointer is not None:
        return body_error(error.pointer, str(error), error.code)
    if error.parameter is not None:
        return parameter_error("query", error.parameter, str(error), error.code)
    return None


def _cursor_problem(error: InvalidCursor) -> Problem:
    return Problem(400, str(error), [parameter_error("query", "cursor", str(error), "malformed")])


ERRORS = ExceptionHandlers(
    {
        InvalidCursor: _cursor_problem,
        errors.Unauthenticated: lambda error: Problem(
            401, str(error), headers={"WWW-Authenticate": 'Bearer realm="api"'}
        ),
        errors.NotFound: lambda error: _service_problem(404, error),
        errors.Conflict: lambda error: _service_problem(409, error),
        errors.Invalid: lambda error: _service_problem(422, error),
        RequestInProgress: 409,
        DatabaseUnavailable: lambda error: Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}),
        StorageUnavailable: lambda error: Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}),
    }
)
"""The table. A subclass has the entry of its base class."""
