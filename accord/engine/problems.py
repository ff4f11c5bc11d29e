"""Problem details (RFC 9457): the one form of every error."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

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
"""What the form of a problem depends on."""

# RFC 9110 has these names; Python has them from 3.13 on.
_TITLES = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}

_MEDIA_TYPES = {
    "application/problem+json": JSON,
    "application/json": JSON,
    "application/problem+xml": XML,
    "application/xml": XML,
    "text/xml": XML,
}

# RFC 9457 has the same in appendix B: a list is an element with an `i` for each of its items.
_XML_SCHEMA: dict[str, Any] = {
    "xml": {"name": "problem", "namespace": "urn:ietf:rfc:7807"},
    "properties": {"errors": {"items": {"xml": {"name": "i"}}, "xml": {"wrapped": True}}},
}
_XML_RENDERER = XmlRenderer(_XML_SCHEMA, MarshmallowSchemas(JsonSchemas(Document({}))))

ErrorDetail = dict[str, str]
"""One thing wrong with a request: `pointer` (RFC 6901) or `parameter` and `in`, `detail`, `code`."""


class Problem(Exception):
    """An answer that says what went wrong, and where: `errors` has one entry for each fault."""

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
        return _TITLES.get(self.status) or HTTPStatus(self.status).phrase

    @property
    def type(self) -> str:
        """Its name, as its page has it: `not-found`."""
        return self.title.lower().replace(" ", "-")

    def body(self, instance: str, request_id: str, media_type: bytes = JSON) -> bytes:
        """Return the problem as JSON or XML, about the request to *instance*."""
        made: dict[str, Any] = {
            "type": f"/problems#{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            made["errors"] = self.errors
        return _XML_RENDERER.render(made) if media_type == XML else orjson.dumps(made)


class ProblemResponse(NamedTuple):
    """A problem as it is sent, but for `Content-Length`."""

    status: int
    headers: RawHeaders
    body: bytes


def response(problem: Problem, context: RequestContext, accept: bytes | None) -> ProblemResponse:
    """Return *problem* as the response to the request of *context*, in the media type that *accept* prefers.

    The context gets the type of the problem, for the log and the metrics.
    """
    context.problem_type = problem.type
    kind = problem_media_type(accept)
    headers = [(b"content-type", kind), VARY, *NO_STORE]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.headers.items()]
    instance = context.path if context.resolved_path is None else context.resolved_path
    return ProblemResponse(problem.status, headers, problem.body(instance, context.request_id, kind))


class ContractViolation(Exception):
    """The answer is not what the contract says: the caller gets a 500, and nothing is changed."""


ExceptionHandler = Callable[[Any], Problem]


class ExceptionHandlers:
    """The one table of which error of the program is which problem; a subclass follows its base."""

    def __init__(self, table: Mapping[type[Exception], int | ExceptionHandler]) -> None:
        self.table = table

    def to_problem(self, error: Exception) -> Problem | None:
        """Return the problem that *error* is to a caller, or None if it is a failure of the program."""
        if isinstance(error, Problem):
            return error
        for kind in type(error).__mro__:
            entry = self.table.get(kind)
            if entry is not None:
                return Problem(entry, str(error)) if isinstance(entry, int) else entry(error)
        return None


def problem_media_type(accept: bytes | None) -> bytes:
    """Return what a problem is for a caller with this `Accept`: XML where that is preferred, JSON everywhere else."""
    wanted = best_match(accept, tuple(_MEDIA_TYPES)) if accept else None
    return _MEDIA_TYPES[wanted] if wanted else JSON


def parameter_error(location: str, name: str, detail: str, code: str) -> ErrorDetail:
    return {"parameter": name, "in": location, "detail": detail, "code": code}


def body_error(pointer: str, detail: str, code: str) -> ErrorDetail:
    return {"pointer": pointer, "detail": detail, "code": code}
