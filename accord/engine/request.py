"""One request on its way through its operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from starlette.types import Receive, Scope

from accord.engine.context import context_of
from accord.engine.headers import RawHeaders, header_fields
from accord.engine.negotiation import MediaType


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
        "path_values",
        "rate_limit_headers",
        "raw_body",
        "receive",
        "scope",
    )

    def __init__(self, scope: Scope, receive: Receive, path_values: tuple[str, ...]) -> None:
        self.context = context_of(scope)
        self.scope = scope
        self.receive = receive
        self.path_values = path_values
        self.headers = header_fields(scope["headers"])
        self.caller: Caller | None = None
        self.rate_limit_headers: RawHeaders = []
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
