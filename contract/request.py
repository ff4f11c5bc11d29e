"""One request on its way through its operation."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from contract.accept import MediaType
from contract.exchange import exchange

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Caller(Protocol):
    """Who calls: what a security function returns. Handlers get it as it is."""

    @property
    def id(self) -> object: ...
    @property
    def scopes(self) -> frozenset[str]: ...


class ClientGone(Exception):
    """The client went away before its request was whole; nobody is left to answer."""


@dataclass(frozen=True)
class Limits:
    """What a request body may cost: its size in bytes, and the seconds in which it must have come."""

    body_size: int = 1024 * 1024
    body_seconds: float = 20.0


class Request:
    """What a request has brought so far; `arguments` and `body` are checked and Python values."""

    __slots__ = (
        "arguments", "body", "caller", "exchange", "files", "headers", "media_type", "operation", "path_values", "raw",
        "receive", "scope",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, path_values: tuple[str, ...], operation: str | None) -> None:
        """*operation* is the id of the operation that the request is for, where there is one."""
        self.exchange = exchange(scope)
        self.exchange.request = self
        self.operation = operation
        self.scope = scope
        self.receive = receive
        self.path_values = path_values
        self.headers = header_fields(scope["headers"])
        self.caller: Caller | None = None
        self.media_type: MediaType | None = None
        """What the answer shall be; None where there is no choice."""
        self.arguments: dict[str, Any] = {}
        self.body: Any = None
        self.files: Sequence[IO[bytes]] = ()
        self.raw = b""
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
