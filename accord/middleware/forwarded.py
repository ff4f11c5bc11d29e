"""What proxies say about a request: the address and scheme of the client, and the path at which they serve this one."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

MAX_ROOT_PATH_SIZE = 100
_ROOT_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?")


class ForwardedMiddleware:
    """
    Sets `client`, `scheme` and `root_path` of the scope, and removes the root path from `path` and `raw_path`.

    The root path is the path of the public URL at which a proxy serves this service, such as `/shop`, or empty. All
    URLs in responses begin with it. It is *root_path*, if that is not empty (`/` stands for none); otherwise
    `X-Forwarded-Prefix` of a hop in *trusted_proxies*; otherwise the one that the server has set. A proxy may remove it
    from the target, or leave it there. If *is_own_segment* says that paths of this service begin with its first
    segment, as they do with `/api`, only a proxy that removes it works.
    """

    def __init__(
        self, app: ASGIApp, *, trusted_proxies: str, root_path: str, is_own_segment: Callable[[str], bool]
    ) -> None:
        self.app = app
        self._root_path = parse_root_path(root_path) if root_path else None
        self._is_own_segment = is_own_segment
        # Without the argument, uvicorn would trust the loopback address.
        self._proxy_headers = ProxyHeadersMiddleware(app, trusted_proxies) if trusted_proxies else None  # type: ignore[arg-type]  # As uvicorn types ASGI.

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            scope = self._below_root_path(scope)
        return (self._proxy_headers or self.app)(scope, receive, send)  # type: ignore[arg-type]  # As above.

    def _below_root_path(self, scope: Scope) -> Scope:
        server_root = scope.get("root_path", "").rstrip("/")
        root_path = self._root_path
        if root_path is None:
            root_path = self._forwarded_prefix(scope) or server_root
        if not (root_path or server_root):
            return scope
        path: str = scope["path"]
        raw: bytes = scope.get("raw_path") or path.encode()
        # ASGI has the root path of the server in the path.
        path, raw = _remove(server_root, path, raw)
        if not self._is_own_segment(root_path.split("/")[1] if root_path else ""):
            path, raw = _remove(root_path, path, raw)
        return {**scope, "root_path": root_path, "path": path, "raw_path": raw}

    def _forwarded_prefix(self, scope: Scope) -> str:
        """Return the prefixes of all hops in their order; empty if there are none, they are invalid or not trusted."""
        client = scope.get("client")
        if not self._proxy_headers or not client or client[0] not in self._proxy_headers.trusted_hosts:
            return ""
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
        if not values:
            return ""
        prefixes = [parse_root_path(each.strip(" \t")) for each in b",".join(values).decode("latin-1").split(",")]
        prefix = "".join(each or "" for each in prefixes)
        return "" if None in prefixes or len(prefix) > MAX_ROOT_PATH_SIZE else prefix


def parse_root_path(text: str) -> str | None:
    """Return *text* as a root path, without a slash at its end; None if it is not the path of a URL."""
    is_valid = _ROOT_PATH.fullmatch(text) and text and len(text) <= MAX_ROOT_PATH_SIZE
    return text.rstrip("/") if is_valid else None


def _remove(root_path: str, path: str, raw: bytes) -> tuple[str, bytes]:
    """Return *path* and *raw* without *root_path* at their beginning, if they have it there."""
    if not root_path or not f"{path}/".startswith(f"{root_path}/"):
        return path, raw
    front = raw.split(b"/", root_path.count("/") + 1)
    segments, rest = front[: root_path.count("/") + 1], front[root_path.count("/") + 1 :]
    if unquote(b"/".join(segments)) != root_path:
        # An encoded slash is not one that separates segments.
        return path, raw
    return path[len(root_path) :] or "/", b"/" + b"".join(rest)
