"""One request on its way through its operation, and what came of it for those who watch from outside."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from random import getrandbits
from time import perf_counter
from typing import IO, Any, Protocol

from accord.engine.negotiation import MediaType
from accord.engine.problems import Problem

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Caller(Protocol):
    """Who calls: what a security function returns. Handlers get it as it is."""

    @property
    def id(self) -> object: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def api_key_id(self) -> object | None:
        """The API key that speaks for it, where one does."""


class ClientDisconnect(Exception):
    """The client went away before its request was whole; nobody is left to answer."""


@dataclass(frozen=True)
class BodyLimits:
    """What a request body may cost: its size in bytes, and the seconds in which it must have come."""

    max_size: int = 1024 * 1024
    timeout: float = 20.0


_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def new_request_id() -> str:
    """Return a name for a request that has none; it is no secret, and costs a tenth of what a UUID does."""
    return f"{getrandbits(128):032x}"


class Exchange:
    """
    One request and its answer.

    Who is first to see the request puts it into the scope, as `exchange`; who answers, says here
    what. `request` is what the contract made of the request, None where it is about a page, and
    `problem` what the request was refused with. `identity` is the caller's own X-Request-Id where
    it is one, otherwise a new one. `trace_id` is that of the trace that the request is a part of, where there is one.
    """

    __slots__ = ("identity", "problem", "request", "scope", "seconds", "size", "started", "status", "trace_id")

    def __init__(self, scope: dict[str, Any]) -> None:
        self.started = perf_counter()
        self.scope = scope
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        self.identity = given.decode() if given and _REQUEST_ID.fullmatch(given) else new_request_id()
        self.request: Request | None = None
        self.problem: Problem | None = None
        self.status = 0
        """Of the answer; 0 while there is none."""
        self.size = 0
        """Bytes of the answer's body that were sent so far."""
        self.seconds = 0.0
        """How long it took; 0 while it is not over."""
        self.trace_id: str | None = None

    def close(self) -> None:
        """Let go of all that names it, too: of such circles the garbage collector would have thousands a second."""
        self.request = self.problem = None
        self.scope.pop("exchange", None)


current_context: ContextVar[Exchange | None] = ContextVar("current", default=None)
"""The exchange that whatever runs now is a part of."""


def context_of(scope: dict[str, Any]) -> Exchange:
    """Return the exchange that *scope* belongs to; it begins now where nobody stands around the contract."""
    found: Exchange | None = scope.get("exchange")
    if found is None:
        found = scope["exchange"] = Exchange(scope)
    return found


class Request:
    """What a request has brought so far; `arguments` and `body` are checked and Python values."""

    __slots__ = (
        "arguments",
        "body",
        "caller",
        "context",
        "files",
        "headers",
        "media_type",
        "operation_id",
        "path_values",
        "rate_limit_headers",
        "raw_body",
        "receive",
        "route",
        "scope",
    )  # fmt: skip

    def __init__(
        self, scope: Scope, receive: Receive, path_values: tuple[str, ...], operation_id: str | None,
        route: str | None = None,
    ) -> None:  # fmt: skip
        """*operation* is the id of the operation that the request is for, *template* its path, where there is one."""
        self.context = context_of(scope)
        self.context.request = self
        self.operation_id = operation_id
        self.route = route
        self.scope = scope
        self.receive = receive
        self.path_values = path_values
        self.headers = header_fields(scope["headers"])
        self.caller: Caller | None = None
        self.rate_limit_headers: list[tuple[bytes, bytes]] = []
        """Headers that say what is left to the caller, where there are limits."""
        self.media_type: MediaType | None = None
        """What the answer shall be; None where there is no choice."""
        self.arguments: dict[str, Any] = {}
        self.body: Any = None
        self.files: Sequence[IO[bytes]] = ()
        self.raw_body = b""
        """The body as it came; of a multipart body, which is not kept in memory, a digest of what it says."""

    def close(self) -> None:
        """Let go of the files that came with the request."""
        for file in self.files:
            file.close()


def header_fields(received: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the fields of a header section by their names."""
    headers = dict(received)
    if len(headers) != len(received):
        # A field that comes twice is one list (RFC 9110, section 5.3); two tokens so become one that is none.
        headers = {}
        for name, value in received:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
