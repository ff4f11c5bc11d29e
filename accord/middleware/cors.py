"""Which pages of other origins may read answers, and what their scripts may send (the Fetch standard, section 3.2)."""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.context import context_of
from accord.engine.headers import RawHeaders
from accord.engine.routing import PathItem

EXPOSED_HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Location",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)
"""Headers of answers that scripts can see beside those they always can."""

_ALL_METHODS = b"*"
_MAX_AGE = (b"access-control-max-age", b"3600")


class CorsMiddleware:
    """
    Tells browsers that pages of *origins* may read answers, problems among them; `*` is all origins.

    A preflight is answered for every path of the contract, with its methods and the headers that its
    operations take. The credentials of a browser are never let in: no operation takes cookies.
    """

    def __init__(self, app: ASGIApp, *, origins: Iterable[str], path_item: Callable[[str], PathItem | None]) -> None:
        """*path_item* returns what the contract has for a path template."""
        self.app = app
        self._path_item = path_item
        self._listed = {origin.encode(): _allowed(origin) for origin in origins}
        self._everybody = self._listed.get(_ALL_METHODS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers(scope)]
            await send(message)

        await self.app(scope, receive, send_on)

    def _headers(self, scope: Scope) -> RawHeaders:
        given = dict(scope["headers"])
        allowed = self._everybody or self._listed.get(given.get(b"origin", b""))
        depends_on = [] if self._everybody else [b"Origin"]
        headers: RawHeaders = [allowed] if allowed else []
        if scope["method"] == "OPTIONS":
            depends_on.append(b"Access-Control-Request-Method")
            if allowed and b"access-control-request-method" in given:
                headers += self._preflight(scope)
        elif allowed:
            headers.append((b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()))
        return [*headers, (b"vary", b", ".join(depends_on))] if depends_on else headers

    def _preflight(self, scope: Scope) -> RawHeaders:
        context = context_of(scope)
        path = self._path_item(context.route) if context.route is not None else None
        if path is None:
            return []
        taken = {name for operation in path.operations.values() for name in operation.request_headers()}
        if context.resolved_path != scope["path"]:
            # Only a path without a version looks at what else names one.
            taken.add("X-API-Version")
        return [
            (b"access-control-allow-methods", ", ".join(sorted(path.operations)).encode()),
            (b"access-control-allow-headers", ", ".join(sorted(taken)).encode()),
            _MAX_AGE,
        ]


def _allowed(origin: str) -> tuple[bytes, bytes]:
    return b"access-control-allow-origin", origin.encode()
