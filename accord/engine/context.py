"""The request context: plain values of one request for the access log, the metrics and the traces."""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from random import getrandbits
from time import perf_counter
from typing import Any

from starlette.types import Scope

from accord.engine.headers import header_fields

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
# W3C Trace Context, section 3.2: versions after 00 may have more fields at the end, and version ff is invalid.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_KEY = "accord.context"


class RequestContext:
    """
    Plain values of one request and its response.

    The context does not refer to the scope, to the `Request` or to an exception. So it is not part of a reference
    cycle, and it is freed without the garbage collector.
    """

    __slots__ = (
        "caller_id",
        "client",
        "duration",
        "is_in_contract",
        "method",
        "operation_id",
        "path",
        "problem_type",
        "raw_path",
        "request_id",
        "response_size",
        "root_path",
        "route",
        "started",
        "status",
        "trace_id",
    )

    def __init__(
        self,
        method: str = "",
        raw_path: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        client: Sequence[Any] | None = None,
        root_path: str = "",
    ) -> None:
        self.started = perf_counter()
        self.method = method
        self.raw_path = raw_path
        """The path as sent, percent-encoded."""
        self.path = raw_path
        """The path for `instance` of problems, as sent, but with the version if it was resolved."""
        self.root_path = root_path
        """The path at which a proxy serves this service, such as `/shop`, or empty. It precedes all paths of URLs."""
        self.client = client
        """Host and port of the client."""
        fields = header_fields(headers)
        self.request_id = _request_id(headers, fields)
        """The `X-Request-Id` of the client if it is well-formed, otherwise a new id."""
        self.trace_id = _trace_id(headers, fields)
        """The id of the trace that the request belongs to, if there is one."""
        self.is_in_contract = False
        """Whether the contract served the path."""
        self.operation_id: str | None = None
        self.route: str | None = None
        """The path template of the contract; None if it has no such path."""
        self.caller_id: Any = None
        self.problem_type: str | None = None
        """The type of the problem that was sent, such as `not-found`."""
        self.status = 0
        """Status of the response; 0 before it."""
        self.response_size = 0
        """Size in bytes of the response body sent so far."""
        self.duration = 0.0
        """Seconds from the request to the end of its response; 0 before the end."""


current_context: ContextVar[RequestContext | None] = ContextVar("current_context", default=None)
"""The context of the request that is being served; None outside of requests."""


def open_context(scope: Scope) -> RequestContext:
    """Return a new context for the request of *scope*, and store it there for `context_of`."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    root_path: str = scope.get("root_path", "")
    context = RequestContext(scope["method"], raw_path, scope["headers"], scope.get("client"), root_path)
    scope[_KEY] = context
    return context


def context_of(scope: Scope) -> RequestContext:
    """Return the context of the request of *scope*. Create it if no middleware has created it."""
    context: RequestContext | None = scope.get(_KEY)
    return open_context(scope) if context is None else context


def new_request_id() -> str:
    """Return a random id of 128 bits in hexadecimal digits. It is not secret, and ten times as fast as a UUID."""
    return getrandbits(128).to_bytes(16).hex()


def _request_id(headers: Sequence[tuple[bytes, bytes]], fields: Mapping[bytes, bytes]) -> str:
    if b"x-request-id" in fields:
        received = next(value for name, value in headers if name == b"x-request-id")
        if _REQUEST_ID.fullmatch(received):
            return received.decode()
    return new_request_id()


def _trace_id(headers: Sequence[tuple[bytes, bytes]], fields: Mapping[bytes, bytes]) -> str | None:
    """Return the trace id of the `traceparent` header, or None if there is not exactly one, or it is malformed."""
    if b"traceparent" not in fields:
        return None
    values = [value for name, value in headers if name == b"traceparent"]
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    return match[1].decode() if match else None
