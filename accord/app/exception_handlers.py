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


def _challenge_problem(status: int, error: errors.Unauthenticated) -> Problem:
    return Problem(status, str(error), headers={"WWW-Authenticate": 'Bearer realm="api"'})


def _cursor_problem(status: int, error: InvalidCursor) -> Problem:
    return Problem(status, str(error), [parameter_error("query", "cursor", str(error), "malformed")])


def _unavailable_problem(status: int, error: DatabaseUnavailable) -> Problem:
    return Problem(status, str(error), headers={"Retry-After": str(error.retry_after)})


ERRORS = ExceptionHandlers(
    {
        InvalidCursor: (400, _cursor_problem),
        errors.Unauthenticated: (401, _challenge_problem),
        errors.NotFound: (404, _service_problem),
        errors.Conflict: (409, _service_problem),
        errors.Invalid: (422, _service_problem),
        RequestInProgress: 409,
        DatabaseUnavailable: (503, _unavailable_problem),
        StorageUnavailable: (503, _unavailable_problem),
    }
)
"""The table. A subclass has the entry of its base class."""
