"""Which pages of other origins may read answers, and what their scripts may send (the Fetch standard, section 3.2)."""

from collections.abc import Awaitable, Callable
from typing import Any

from accord.engine.request import context_of
from accord.engine.routing import PathItem

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

EXPOSED_HEADERS = (
    "Accept-Ranges", "Allow", "Content-Disposition", "Content-Location", "Content-Range", "Deprecation", "ETag",
    "Idempotency-Replayed", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "Sunset",
    "WWW-Authenticate", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id",
)  # fmt: skip
"""Headers of answers that scripts can see beside those they always can."""

_ALL_METHODS = "*"
_MAX_AGE = (b"access-control-max-age", b"3600")


class CorsMiddleware:
    """
    Tells browsers that pages of *origins* may read answers, problems among them; `*` is all origins.

    A preflight is answered for every path of the contract, with its methods and the headers that its
    operations take. The credentials of a browser are never let in: no operation takes cookies.
    """

    def __init__(self, origins: list[str], path: Callable[[Scope], PathItem | None]) -> None:
        """*path* finds what the contract has for a request."""
        self._path = path
        self._allows_any = _allowed(_ALL_METHODS) if _ALL_METHODS in origins else None
        self._listed = {origin.encode(): _allowed(origin) for origin in origins}

    def before(self, next_app: App) -> App:
        """Stand before *next_app*, which answers."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await next_app(scope, receive, send)
                return

            async def send_on(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *self._headers(scope)]
                await send(message)

            await next_app(scope, receive, send_on)

        return app

    def _headers(self, scope: Scope) -> Headers:
        given = dict(scope["headers"])
        allowed = self._allows_any or self._listed.get(given.get(b"origin", b""))
        depends_on = [] if self._allows_any else [b"Origin"]
        headers: Headers = [allowed] if allowed else []
        if scope["method"] == "OPTIONS":
            depends_on.append(b"Access-Control-Request-Method")
            if allowed and b"access-control-request-method" in given:
                headers += self._preflight(scope)
        elif allowed:
            headers.append((b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()))
        return [*headers, (b"vary", b", ".join(depends_on))] if depends_on else headers

    def _preflight(self, scope: Scope) -> Headers:
        request = context_of(scope).request
        path = self._path(request.scope) if request else None
        if request is None or path is None:
            return []
        taken = {name for operation in path.operations.values() for name in operation.request_headers()}
        if request.scope["path"] != scope["path"]:
            # Only a path without a version looks at what else names one.
            taken.add("X-API-Version")
        return [
            (b"access-control-allow-methods", ", ".join(sorted(path.operations)).encode()),
            (b"access-control-allow-headers", ", ".join(sorted(taken)).encode()),
            _MAX_AGE,
        ]


def _allowed(origin: str) -> tuple[bytes, bytes]:
    return b"access-control-allow-origin", origin.encode()
