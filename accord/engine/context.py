"""The context of one request: plain values that the log, the metrics and the traces tell of it."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from random import getrandbits
from time import perf_counter
from typing import Any

from starlette.types import Scope

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_KEY = "accord.context"


class RequestContext:
    """
    One request and its response, in plain values.

    It refers neither to the scope nor to the `Request` nor to an exception, so that it is part of no reference
    cycle, and the garbage collector has nothing to do after a request.
    """

    __slots__ = (
        "caller_id",
        "client",
        "duration",
        "method",
        "operation_id",
        "path",
        "problem_type",
        "raw_path",
        "request_id",
        "resolved_path",
        "response_size",
        "route",
        "started",
        "status",
        "trace_id",
    )

    def __init__(
        self,
        method: str = "",
        path: str = "",
        raw_path: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        client: Sequence[Any] | None = None,
    ) -> None:
        self.started = perf_counter()
        self.method = method
        self.path = path
        self.raw_path = raw_path
        """The path as it was sent, percent-encoded."""
        self.client = client
        """Host and port that the request is from."""
        self.request_id = _request_id(headers)
        """The client's own X-Request-Id where it is well-formed, otherwise a new one."""
        self.trace_id: str | None = None
        """The trace that the request is a part of, if there is one."""
        self.resolved_path: str | None = None
        """The path that the contract answered, with its version; None for pages."""
        self.operation_id: str | None = None
        self.route: str | None = None
        """The path template of the contract, if the path is one of it."""
        self.caller_id: Any = None
        self.problem_type: str | None = None
        """The type of the problem that the request was refused with."""
        self.status = 0
        """Status of the response; 0 while there is none."""
        self.response_size = 0
        """Bytes of the response's body that were sent so far."""
        self.duration = 0.0
        """Seconds from the request to the end of its response; 0 while it is not over."""


current_context: ContextVar[RequestContext | None] = ContextVar("current_context", default=None)
"""The context of the request that is being served."""


def open_context(scope: Scope) -> RequestContext:
    """Create the context of the request of *scope*, and keep it there for `context_of`."""
    path: str = scope["path"]
    raw_path: bytes = scope.get("raw_path") or path.encode()
    context = RequestContext(scope["method"], path, raw_path, scope["headers"], scope.get("client"))
    scope[_KEY] = context
    return context


def context_of(scope: Scope) -> RequestContext:
    """Return the context of the request of *scope*; it is created now where no middleware has done so."""
    found: RequestContext | None = scope.get(_KEY)
    return open_context(scope) if found is None else found


def new_request_id() -> str:
    """Return a random id of 128 bits. It is not a secret, and costs a tenth of a UUID."""
    return f"{getrandbits(128):032x}"


def _request_id(headers: Sequence[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode() if _REQUEST_ID.fullmatch(value) else new_request_id()
    return new_request_id()
