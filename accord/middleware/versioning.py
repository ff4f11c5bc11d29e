"""Which version a request is for that has none in its path."""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.http import parse_options_header

from accord.engine import problems
from accord.engine.context import context_of
from accord.engine.headers import RawHeaders, header_fields
from accord.engine.negotiation import parse_accept
from accord.engine.parsers.parameters import parse_query
from accord.engine.problems import Problem

_PARAMETER = "version"
_JSON = "application/json"
_VERSIONED_MEDIA_TYPES = re.compile(rb"vnd\.|version", re.IGNORECASE)
_VARY = (b"X-API-Version", b"Accept")


class ApiVersionMiddleware:
    """
    The versions of an API, each at `{base}/v{name}`.

    A path under *base* without a version is one of the version that the request names: in the
    header `X-API-Version`, or else in `Accept`, as `application/vnd.{vendor}.v2+json` or
    `application/json; version=2`, or else in the query, as `version=2`; the first of
    *names* if it names none. One that there is not is a 400 that names those there are.

    What comes later is not looked at, and nothing of it where the path has a version: the
    media types of the vendor are JSON to the contract, whichever version they name.
    """

    def __init__(self, app: ASGIApp, *, base: str, names: Sequence[str], vendor: str) -> None:
        """*app* knows paths with versions only."""
        self.app = app
        self.base = base
        self.names = names
        self._versioned = re.compile(re.escape(base) + r"/v[0-9]+(/|$)")
        self._vendor_type = re.compile(rf"application/vnd\.{re.escape(vendor)}\.v(\w+)\+json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rest = self._below_base(scope) if scope["type"] == "http" else None
        if rest is None:
            await self.app(scope, receive, send)
        elif self._versioned.match(scope["path"]):
            await self.app(self._accepting(scope), receive, send)
        else:
            await self._serve_unversioned(scope, rest, receive, send)

    async def _serve_unversioned(self, scope: Scope, rest: bytes, receive: Receive, send: Send) -> None:
        try:
            resolved = self._resolved(scope, rest)
        except Problem as problem:
            await _refuse(problem, scope, send)
            return
        query = resolved["query_string"]
        location = resolved["raw_path"] + (b"?" + query if query else b"")
        shows = scope["method"] in ("GET", "HEAD")

        async def send_with_choice(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = _varying(message["headers"])
                if shows and message["status"] < 400:
                    headers.append((b"content-location", location))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(resolved, receive, send_with_choice)

    def _below_base(self, scope: Scope) -> bytes | None:
        """Return what stands below the base, as it was sent: percent-encoded; None for a path that is elsewhere."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        *base, rest = raw.split(b"/", self.base.count("/") + 1)
        return rest if unquote(b"/".join(base)) == self.base else None

    def _resolved(self, scope: Scope, rest: bytes) -> Scope:
        """Return the request as one of a version: its path names it, and nothing else does."""
        headers = header_fields(scope["headers"])
        queried = parse_query(scope["query_string"]).get(_PARAMETER, [])
        if len(queried) > 1:
            raise Problem(400, "The parameter version is given more than once.")
        said = [headers[b"x-api-version"].decode("latin-1")] if b"x-api-version" in headers else []
        accepted = [named for _, quality, named in self._ranges(headers.get(b"accept", b"")) if named and quality]
        # Who prefers a version that there is not yet, and names another one, gets that.
        known = [named for named in accepted if named in self.names]
        version = [*said, *known, *accepted, *queried, self.names[0]][0]
        if version not in self.names:
            raise Problem(400, f"There is no such version; there are {', '.join(self.names)}.")
        inserted = f"{self.base}/v{version}"
        pieces = [piece for piece in scope["query_string"].split(b"&") if _PARAMETER not in parse_query(piece)]
        return {
            **self._accepting(scope),
            "path": inserted + scope["path"].removeprefix(self.base),
            "raw_path": inserted.encode() + b"/" + rest,
            "query_string": b"&".join(pieces),
        }

    def _accepting(self, scope: Scope) -> Scope:
        """Return the request with `Accept` as the contract knows it."""
        headers = scope["headers"]
        if not any(name == b"accept" and _VERSIONED_MEDIA_TYPES.search(value) for name, value in headers):
            return scope
        ranges = self._ranges(header_fields(headers)[b"accept"])
        accept = ", ".join(f"{kind};q={quality:g}" for kind, quality, version in ranges if quality or not version)
        others = [(name, value) for name, value in headers if name != b"accept"]
        return {**scope, "headers": [*others, (b"accept", accept.encode("latin-1"))]}

    def _ranges(self, accept: bytes) -> Iterator[tuple[str, float, str | None]]:
        """Yield the media ranges of the header as the contract knows them, how much each is wanted, and its version."""
        for media_range, quality in parse_accept(accept):
            kind, options = parse_options_header(media_range.lower())
            if vendor_type := self._vendor_type.fullmatch(kind):
                yield _JSON, quality, vendor_type[1]
            else:
                yield kind, quality, options.get(_PARAMETER) if kind == _JSON else None


async def _refuse(problem: Problem, scope: Scope, send: Send) -> None:
    accept = header_fields(scope["headers"]).get(b"accept")
    status, headers, body = problems.response(problem, context_of(scope), accept)
    headers = [*_varying(headers), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _varying(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers with one `Vary`, which names what the version was chosen by, too."""
    named: list[bytes] = []
    others: RawHeaders = []
    for header in headers:
        if header[0] == b"vary":
            named += header[1].split(b", ")
        else:
            others.append(header)
    return [*others, (b"vary", b", ".join(dict.fromkeys([*_VARY, *named])))]
