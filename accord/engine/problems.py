"""Problem details (RFC 9457): the form of all error responses, and the exception handlers that create them."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.context import RequestContext
from accord.engine.headers import NO_STORE, RawHeaders
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.negotiation import best_match
from accord.engine.renderers.xml import XmlRenderer

JSON, XML = b"application/problem+json", b"application/problem+xml"
VARY = b"vary", b"Accept, Accept-Encoding"
"""The `Vary` header of problems."""

REASON_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Names of RFC 9110 that Python has since 3.13. Titles of problems and the status line have them."""

# RFC 3986, section 3.3. `quote` leaves unreserved characters as they are.
_PATH_CHARACTERS = "/:@!$&'()*+,;=%"
_STRAY_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_MEDIA_TYPES = {
    "application/problem+json": JSON,
    "application/json": JSON,
    "application/problem+xml": XML,
    "application/xml": XML,
    "text/xml": XML,
}

# Appendix B of RFC 9457 defines this form: a list is an element with an `i` for each of its items.
_XML_SCHEMA: dict[str, Any] = {
    "xml": {"name": "problem", "namespace": "urn:ietf:rfc:7807"},
    "properties": {"errors": {"items": {"xml": {"name": "i"}}, "xml": {"wrapped": True}}},
}
_XML_RENDERER = XmlRenderer(_XML_SCHEMA, MarshmallowSchemas(JsonSchemas(Document({}))))

ErrorDetail = dict[str, str]
"""One error of a request: `pointer` (RFC 6901) or `parameter` and `in`, then `detail` and `code`."""


class Problem(Exception):
    """An error response. `errors` has one entry for each error of the request."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[ErrorDetail] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}

    @property
    def title(self) -> str:
        return REASON_PHRASES.get(self.status) or HTTPStatus(self.status).phrase

    @property
    def type(self) -> str:
        """The name of the problem on its page, such as `not-found`."""
        return self.title.lower().replace(" ", "-")

    def body(self, instance: str, request_id: str, media_type: bytes = JSON, root_path: str = "") -> bytes:
        """Return the problem as JSON or XML. *instance* is the path of the request, and *root_path* precedes `type`."""
        members: dict[str, Any] = {
            "type": f"{root_path}/problems#{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            members["errors"] = self.errors
        return _XML_RENDERER.render(members) if media_type == XML else orjson.dumps(members)


class ProblemResponse(NamedTuple):
    """A problem as it is sent, without `Content-Length`."""

    status: int
    headers: RawHeaders
    body: bytes


def response(problem: Problem, context: RequestContext, accept: bytes | None) -> ProblemResponse:
    """Return *problem* as the response to the request of *context*, in the media type that *accept* prefers.

    Set the type of the problem in the context, for the access log and the metrics.
    """
    context.problem_type = problem.type
    media_type = problem_media_type(accept)
    headers = [(b"content-type", media_type), VARY, *NO_STORE]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.headers.items()]
    body = problem.body(_instance(context), context.request_id, media_type, context.root_path)
    return ProblemResponse(problem.status, headers, body)


def _instance(context: RequestContext) -> str:
    """
    Return the path of the request of *context* as a URI reference (RFC 9457, section 3.1.5); empty without a request.

    It is not decoded, so it is the path that was sent. Bytes that cannot be in a URI are percent-encoded. Two slashes
    at the beginning would begin the name of a host (RFC 3986, section 4.2).
    """
    if not context.path:
        return ""
    path = context.root_path + quote(_STRAY_PERCENT.sub(b"%25", context.path), safe=_PATH_CHARACTERS)
    return f"/.{path}" if path.startswith("//") else path


class ContractViolation(Exception):
    """A response violates the contract. The caller gets a 500, and the unit of work is rolled back."""


ExceptionHandler = Callable[[int, Any], Problem]
"""Returns the problem with a status for an exception."""


class ExceptionHandlers:
    """The statuses and problems of exceptions by class. A subclass without an entry has the one of its base class."""

    def __init__(self, table: Mapping[type[Exception], int | tuple[int, ExceptionHandler]]) -> None:
        self._table = {
            kind: (entry, _problem_of_text) if isinstance(entry, int) else entry for kind, entry in table.items()
        }

    @property
    def classes(self) -> list[type[Exception]]:
        return list(self._table)

    def status_of(self, kind: type[BaseException]) -> int | None:
        """Return the status of exceptions of this class; None if they are failures of the program."""
        entry = self._entry(kind)
        return entry[0] if entry else None

    def to_problem(self, error: Exception) -> Problem | None:
        """Return the problem of *error*; None if it is a failure of the program."""
        if isinstance(error, Problem):
            return error
        entry = self._entry(type(error))
        return entry[1](entry[0], error) if entry else None

    def _entry(self, kind: type[BaseException]) -> tuple[int, ExceptionHandler] | None:
        return next((self._table[each] for each in kind.__mro__ if each in self._table), None)


def _problem_of_text(status: int, error: Exception) -> Problem:
    return Problem(status, str(error))


def problem_media_type(accept: bytes | None) -> bytes:
    """Return the media type of a problem for the header *accept*: XML if it is preferred, otherwise JSON."""
    preferred = best_match(accept, tuple(_MEDIA_TYPES)) if accept else None
    return _MEDIA_TYPES[preferred] if preferred else JSON


def parameter_error(location: str, name: str, detail: str, code: str) -> ErrorDetail:
    """Return an error of the parameter *name*. The location is `path`, `query` or `header`."""
    return {"parameter": name, "in": location, "detail": detail, "code": code}


def body_error(pointer: str, detail: str, code: str) -> ErrorDetail:
    """Return an error at a JSON pointer (RFC 6901) in the body."""
    return {"pointer": pointer, "detail": detail, "code": code}
