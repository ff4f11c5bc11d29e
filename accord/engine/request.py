"""The request of an operation: headers, parsed parameters and body, and the caller."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from starlette.types import Receive, Scope

from accord.engine.context import context_of
from accord.engine.headers import RawHeaders, header_fields
from accord.engine.negotiation import MediaType


class Caller(Protocol):
    """The authenticated caller, as a security function returns it and handlers get it."""

    @property
    def id(self) -> object: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def api_key_id(self) -> object | None:
        """The id of the API key of the request; None without an API key."""


class ClientDisconnect(Exception):
    """The client disconnected before its request was complete, so there is no response."""


@dataclass(frozen=True)
class BodyLimits:
    """The maximum size of a request body in bytes, and the seconds in which it must arrive."""

    max_size: int = 1024 * 1024
    timeout: float = 20.0


class Request:
    """A request of an operation. `arguments` and `body` are validated Python values once they are parsed."""

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
        """The `RateLimit` headers of the response; empty without rate limits."""
        self.media_type: MediaType | None = None
        """The negotiated media type of the response; None if there is nothing to negotiate."""
        self.arguments: dict[str, Any] = {}
        self.body: Any = None
        self.files: Sequence[IO[bytes]] = ()
        self.raw_body = b""
        """The bytes of the body. Of a multipart body, which is not held in memory, a digest of its fields and files."""

    def close(self) -> None:
        """Close the uploaded files. On a full disk, an error at the close says that their last bytes are lost."""
        for file in self.files:
            with suppress(OSError):
                file.close()
