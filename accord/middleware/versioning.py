"""API versions: resolve the version of a request whose path has none."""

import re
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.http import parse_options_header

from accord.engine import problems
from accord.engine.context import context_of
from accord.engine.headers import RawHeaders, header_fields
from accord.engine.negotiation import parse_accept
from accord.engine.parsers.parameters import parse_query
from accord.engine.problems import Problem
from accord.engine.routing import PERCENT

_PARAMETER = "version"
_JSON = "application/json"
_VERSIONED_MEDIA_TYPES = re.compile(rb"vnd\.|version", re.IGNORECASE)
_VARY = (b"X-API-Version", b"Accept")


class ApiVersionMiddleware:
    """
    Serves the versions of an API, each at `{base}/v{name}`.

    A path under *base* without a version is resolved to the version that the request names. The first of these that
    names one decides: the header `X-API-Version`; `Accept`, as `application/vnd.{vendor}.v2+json` or
    `application/json; version=2`; the query, as `version=2`; the first of *names*. An unknown version is a 400 that
    lists the known ones.

    A path with a version ignores all of them. The contract sees the media types of the vendor as JSON, whichever
    version they name.
    """

    def __init__(self, app: ASGIApp, *, base: str, names: Sequence[str], vendor: str) -> None:
        """*app* serves paths with a version only."""
        self.app = app
        self.base = base
        self.names = names
        self._raw_base = base.encode() + b"/"
        self._versioned = re.compile(re.escape(base) + r"/v[0-9]+(/|$)")
        self._vendor_type = re.compile(rf"application/vnd\.{re.escape(vendor)}\.v(\w+)\+json")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        rest = self._below_base(scope) if scope["type"] == "http" else None
        if rest is None:
            return self.app(scope, receive, send)
        if self._versioned.match(scope["path"]):
            return self.app(self._rewrite_accept(scope), receive, send)
        return self._serve_unversioned(scope, rest, receive, send)

    async def _serve_unversioned(self, scope: Scope, rest: bytes, receive: Receive, send: Send) -> None:
        try:
            resolved = self._resolve(scope, rest)
        except Problem as problem:
            await _refuse(problem, scope, send)
            return
        # A problem of a path that leads nowhere names the resolved path, as problems of the contract do.
        context_of(scope).path = resolved["raw_path"]
        query = resolved["query_string"]
        location = scope.get("root_path", "").encode() + resolved["raw_path"] + (b"?" + query if query else b"")
        is_read = scope["method"] in ("GET", "HEAD")

        async def send_with_location(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = _merge_vary(message["headers"])
                if is_read and message["status"] < 400:
                    headers.append((b"content-location", location))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(resolved, receive, send_with_location)

    def _below_base(self, scope: Scope) -> bytes | None:
        """Return the part of the raw path below the base, percent-encoded as it was sent, or None for another path."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if PERCENT not in raw:
            return raw[len(self._raw_base) :] if raw.startswith(self._raw_base) else None
        *base, rest = raw.split(b"/", self.base.count("/") + 1)
        return rest if unquote(b"/".join(base)) == self.base else None

    def _resolve(self, scope: Scope, rest: bytes) -> Scope:
        """Return the scope with the version in its path, and nowhere else. Raises a 400 for an unknown version."""
        headers = header_fields(scope["headers"])
        queried = parse_query(scope["query_string"]).get(_PARAMETER, [])
        if len(queried) > 1:
            raise Problem(400, "The query parameter version must not be repeated.")
        from_header = [headers[b"x-api-version"].decode("latin-1")] if b"x-api-version" in headers else []
        ranges = self._ranges(headers.get(b"accept", b""))
        accepted = [version for _, quality, version in ranges if version and quality]
        # A client that prefers a version that does not exist yet gets another one that it accepts.
        known = [version for version in accepted if version in self.names]
        version = [*from_header, *known, *accepted, *queried, self.names[0]][0]
        if version not in self.names:
            raise Problem(400, f"Unknown version; known: {', '.join(self.names)}.")
        inserted = f"{self.base}/v{version}"
        pieces = [piece for piece in scope["query_string"].split(b"&") if _PARAMETER not in parse_query(piece)]
        return {
            **self._rewrite_accept(scope),
            "path": inserted + scope["path"].removeprefix(self.base),
            "raw_path": inserted.encode() + b"/" + rest,
            "query_string": b"&".join(pieces),
        }

    def _rewrite_accept(self, scope: Scope) -> Scope:
        """Return the scope with an `Accept` of media types that the contract has."""
        headers = scope["headers"]
        received = header_fields(headers).get(b"accept")
        if received is None or not _VERSIONED_MEDIA_TYPES.search(received):
            return scope
        ranges = self._ranges(received)
        accept = ", ".join(f"{kind};q={quality:g}" for kind, quality, version in ranges if quality or not version)
        others = [(name, value) for name, value in headers if name != b"accept"]
        return {**scope, "headers": [*others, (b"accept", accept.encode("latin-1"))]}

    def _ranges(self, accept: bytes) -> Iterator[tuple[str, float, str | None]]:
        """Yield each media range of the header as the contract has it, its quality, and its version or None."""
        for media_range, quality in parse_accept(accept):
            kind, options = parse_options_header(media_range.lower())
            if vendor_type := self._vendor_type.fullmatch(kind):
                yield _JSON, quality, vendor_type[1]
            else:
                yield kind, quality, options.get(_PARAMETER) if kind == _JSON else None


async def _refuse(problem: Problem, scope: Scope, send: Send) -> None:
    accept = header_fields(scope["headers"]).get(b"accept")
    status, headers, body = problems.response(problem, context_of(scope), accept)
    headers = [*_merge_vary(headers), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _merge_vary(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers with one `Vary`, which also names the headers that select a version."""
    names: list[bytes] = []
    others: RawHeaders = []
    for header in headers:
        if header[0] == b"vary":
            names += header[1].split(b", ")
        else:
            others.append(header)
    return [*others, (b"vary", b", ".join(dict.fromkeys([*_VARY, *names])))]
