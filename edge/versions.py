"""Which version a request is for that has none in its path."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from werkzeug.http import parse_accept_header, parse_options_header

from contract.exchange import exchange
from contract.problems import Problem, media_type
from contract.reading.parameters import pairs

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PARAMETER = "version"


class Versions:
    """
    The versions of an API, each at `{base}/v{name}`.

    A path under *base* without a version is one of the version that the request names: in the
    header `X-API-Version`, or else in `Accept`, as `application/vnd.{vendor}.v2+json` or
    `application/json; version=2`, or else in the query, as `version=2`; the first of
    *names* if it names none. One that there is not is a 400 that names those there are.
    """

    def __init__(self, base: str, names: Sequence[str], vendor: str) -> None:
        self.base = base
        self.names = names
        self._versioned = re.compile(re.escape(base) + r"/v([0-9]+)(?=/|\.|$)")
        self._vendor_type = re.compile(rf"application/vnd\.{re.escape(vendor)}\.v(\w+)\+json")

    def before(self, next_app: App) -> App:
        """Stand before *next_app*, which knows paths with versions only."""
        prefix = f"{self.base}/".encode()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not _raw_path(scope).startswith(prefix):
                await next_app(scope, receive, send)
            elif (versioned := self._versioned.match(scope["path"])) is not None:
                await next_app(self._accepting(scope, versioned[1]), receive, send)
            else:
                await self._serve_unversioned(next_app, scope, receive, send)

        return app

    async def _serve_unversioned(self, next_app: App, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            resolved = self._resolved(scope)
        except Problem as problem:
            await _refuse(problem, scope, send)
            return
        query = resolved["query_string"]
        location = resolved["raw_path"] + (b"?" + query if query else b"")
        shows = scope["method"] in ("GET", "HEAD")

        async def send_with_choice(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"vary", b"X-API-Version, Accept")]
                if shows and message["status"] < 400:
                    headers.append((b"content-location", location))
                message = {**message, "headers": headers}
            await send(message)

        await next_app(resolved, receive, send_with_choice)

    def _resolved(self, scope: Scope) -> Scope:
        """Return the request as one of a version: its path names it, and nothing else does."""
        headers = dict(scope["headers"])
        queried = pairs(scope["query_string"]).get(_PARAMETER, [])
        if len(queried) > 1:
            raise Problem(400, "The parameter version is given more than once.")
        asked, _ = self._asked(headers.get(b"accept", b""))
        header = headers.get(b"x-api-version", b"").decode("latin-1")
        version = header or asked or "".join(queried) or self.names[0]
        if version not in self.names:
            raise Problem(400, f"There is no such version; there are {', '.join(self.names)}.")
        inserted = f"{self.base}/v{version}"
        pieces = [p for p in scope["query_string"].split(b"&") if p.partition(b"=")[0] != _PARAMETER.encode()]
        return {
            **self._accepting(scope, version),
            "path": inserted + scope["path"].removeprefix(self.base),
            "raw_path": inserted.encode() + _raw_path(scope)[len(self.base) :],
            "query_string": b"&".join(pieces),
        }

    def _accepting(self, scope: Scope, version: str) -> Scope:
        """Return the request with `Accept` as the contract knows it, if that names this very version."""
        accept = dict(scope["headers"]).get(b"accept", b"")
        if b"vnd." not in accept and _PARAMETER.encode() not in accept:
            return scope
        asked, plain = self._asked(accept)
        if asked != version:
            return scope
        others = [(name, value) for name, value in scope["headers"] if name != b"accept"]
        return {**scope, "headers": [*others, (b"accept", plain)]}

    def _asked(self, accept: bytes) -> tuple[str | None, bytes]:
        """Return the version that the header likes best, and the header without any version."""
        asked: str | None = None
        ranges: list[str] = []
        for media_range, quality in parse_accept_header(accept.decode("latin-1")):
            kind, options = parse_options_header(media_range)
            named = self._vendor_type.fullmatch(kind)
            version = named[1] if named else options.pop(_PARAMETER, None)
            asked = asked or version
            plain = "application/json" if named else kind
            ranges.append(";".join([plain, *(f"{key}={value}" for key, value in options.items()), f"q={quality:g}"]))
        return asked, ", ".join(ranges).encode("latin-1")


def _raw_path(scope: Scope) -> bytes:
    """Return the path as it was sent, percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw


async def _refuse(problem: Problem, scope: Scope, send: Send) -> None:
    refused = exchange(scope)
    refused.problem = problem
    kind = media_type(dict(scope["headers"]).get(b"accept"))
    body = problem.body(scope["path"], refused.identity, kind)
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"vary", b"X-API-Version, Accept"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
