"""CORS: which origins may read responses, and what their scripts may send (Fetch standard, section 3.2)."""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.context import context_of
from accord.engine.headers import REQUEST_HEADERS, RawHeaders, header_fields
from accord.engine.routing import PathItem

EXPOSED_HEADERS = (
    "Accept",
    "Accept-Encoding",
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Location",
    "Content-Range",
    "Date",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "Vary",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)
"""Response headers that scripts can read in addition to the CORS-safelisted ones."""

_ALL = b"*"
_EXPOSE_HEADERS = b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()
_MAX_AGE = (b"access-control-max-age", b"3600")


class CorsMiddleware:
    """
    Allows pages of *origins* to read responses, including problems. `*` allows all origins.

    A preflight request to any path of the contract gets its methods, the headers that its operations take, and those
    that the service reads on every path. Other paths of the service are read only.
    Credentials of the browser are never allowed, because no operation takes cookies.
    """

    def __init__(self, app: ASGIApp, *, origins: Iterable[str], path_item: Callable[[str], PathItem | None]) -> None:
        """*path_item* returns the path item of a path template, or None."""
        self.app = app
        self._path_item = path_item
        self._by_origin = {origin.encode(): _allow_origin(origin) for origin in origins}
        self._all_origins = self._by_origin.get(_ALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers(scope, message["status"])]
            await send(message)

        await self.app(scope, receive, send_on)

    def _headers(self, scope: Scope, status: int) -> RawHeaders:
        request_headers = header_fields(scope["headers"])
        allowed = self._all_origins or self._by_origin.get(request_headers.get(b"origin", b""))
        vary = [] if self._all_origins else [b"Origin"]
        headers: RawHeaders = [allowed] if allowed else []
        if scope["method"] == "OPTIONS":
            vary.append(b"Access-Control-Request-Method")
            if allowed and b"access-control-request-method" in request_headers and status < 300:
                headers += self._preflight(scope)
        elif allowed:
            headers.append(_EXPOSE_HEADERS)
        return [*headers, (b"vary", b", ".join(vary))] if vary else headers

    def _preflight(self, scope: Scope) -> RawHeaders:
        route = context_of(scope).route
        path = self._path_item(route) if route is not None else None
        operations = path.operations if path else {}
        declared = {name for operation in operations.values() for name in operation.request_headers()}
        headers = sorted(declared.union(REQUEST_HEADERS), key=str.lower)
        return [
            (b"access-control-allow-methods", ", ".join(sorted(operations or ("GET", "HEAD"))).encode()),
            (b"access-control-allow-headers", ", ".join(headers).encode()),
            _MAX_AGE,
        ]


def _allow_origin(origin: str) -> tuple[bytes, bytes]:
    return b"access-control-allow-origin", origin.encode()
