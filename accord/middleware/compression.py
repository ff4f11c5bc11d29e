"""Bodies compressed on their way out, with entity tags of their own (RFC 9110, section 8.4 and 8.8.3)."""

import asyncio
import re
import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache

import brotli
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.headers import RawHeaders
from accord.engine.negotiation import parse_accept

Feed = Callable[[bytes], bytes]
Finish = Callable[[], bytes]

MINIMUM_SIZE = 500
"""Bytes from which on a body is compressed."""
_STREAM_SIZE = 65_536
"""Bytes from which on this takes so long that it is done in a thread."""

_TAG = re.compile(rb'-(?:br|gzip)(?=")')


def _brotli() -> tuple[Feed, Finish]:
    made = brotli.Compressor(quality=4)
    return made.process, made.finish


def _gzip() -> tuple[Feed, Finish]:
    made = zlib.compressobj(level=4, wbits=31)
    return made.compress, made.flush


_ENCODINGS = {b"br": _brotli, b"gzip": _gzip}
"""How each content coding is made; the first is preferred."""


class CompressionMiddleware:
    """
    Compresses the answers that say `Vary: Accept-Encoding`; those that tell a secret do not.

    What is compressed is another representation, so its entity tag has the coding behind it:
    `"5d41-br"`. Requests bring such tags back, and what stands behind this sees them without.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept, known, guarded = b"", b"", False
        for name, value in scope.get("headers", ()):
            if name == b"accept-encoding":
                accept += b"," + value
            elif name == b"if-none-match":
                known += b"," + value
            elif name == b"if-match":
                guarded = True
        codings = acceptable_codings(accept) if accept else ()
        if guarded or (known and codings):
            scope = {**scope, "headers": [_plain(header, codings) for header in scope["headers"]]}
        if codings:
            send = _Sender(send, scope["method"], codings, known)
        await self.app(scope, receive, send)


class _Sender:
    """Sends one answer on, compressed if it may be."""

    def __init__(self, send: Send, method: str, codings: tuple[bytes, ...], known: bytes) -> None:
        self.send, self.method, self.codings, self.accepts_known_tag = send, method, codings, known
        self.start: Message | None = None
        self.feed: Feed | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == 304:
                message["headers"] = [self._known(header) for header in message["headers"]]
            elif _may_be_compressed(message["headers"]):
                # Whether it is long enough may not show before its body.
                self.start = message
                return
            await self.send(message)
            return
        if self.start:
            start, self.start = self.start, None
            await self._begin(start, message)
        elif self.feed:
            await self._go_on(message)
        else:
            await self.send(message)

    async def _begin(self, start: Message, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        length = next((int(value) for name, value in start["headers"] if name == b"content-length"), None)
        if (length if length is not None else MINIMUM_SIZE if more else len(body)) >= MINIMUM_SIZE:
            start["headers"] = [*_encoded(start["headers"], self.codings[0])]
            if self.method != "HEAD":
                self.feed, self.finish = _ENCODINGS[self.codings[0]]()
                body = await self._compressed(body, more)
                message["body"] = body
                if not more:
                    start["headers"].append((b"content-length", b"%d" % len(body)))
        await self.send(start)
        await self.send(message)

    async def _go_on(self, message: Message) -> None:
        more = message.get("more_body", False)
        message["body"] = await self._compressed(message.get("body", b""), more)
        if message["body"] or not more:
            await self.send(message)

    async def _compressed(self, body: bytes, more: bool) -> bytes:
        assert self.feed
        made = await asyncio.to_thread(self.feed, body) if len(body) > _STREAM_SIZE else self.feed(body)
        return made if more else made + self.finish()

    def _known(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Return an entity tag as the caller has it, of the coding that it likes best."""
        name, tag = header
        if name == b"etag":
            tag = next(
                (each for coding in self.codings if (each := _suffixed(tag, coding)) in self.accepts_known_tag), tag
            )
        return name, tag


@lru_cache(maxsize=256)
def acceptable_codings(header: bytes) -> tuple[bytes, ...]:
    """Return the codings that *header*, of Accept-Encoding, allows; none if it would rather have none, or is odd."""
    wanted = {name.lower().encode("latin-1"): quality for name, quality in parse_accept(header)}
    qualities = {coding: wanted.get(coding, wanted.get(b"*", 0)) for coding in _ENCODINGS}
    allowed = [coding for coding in _ENCODINGS if qualities[coding] and qualities[coding] >= wanted.get(b"identity", 0)]
    return tuple(sorted(allowed, key=qualities.__getitem__, reverse=True))


def _may_be_compressed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    names = {name for name, _ in headers}
    return any(name == b"vary" and b"Accept-Encoding" in value for name, value in headers) and not (
        {b"content-encoding", b"content-range"} & names
    )


def _encoded(headers: Iterable[tuple[bytes, bytes]], coding: bytes) -> RawHeaders:
    changed = [
        (name, _suffixed(value, coding) if name == b"etag" else value)
        for name, value in headers
        if name != b"content-length"
    ]
    return [*changed, (b"content-encoding", coding)]


def _suffixed(tag: bytes, coding: bytes) -> bytes:
    return b'%s-%s"' % (tag[:-1], coding)


def _plain(header: tuple[bytes, bytes], codings: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """
    Return a condition without codings in its entity tags.

    A caller who has an answer in a coding that it does not accept now has another one than it would get;
    a change is to the resource, whichever coding it was read in.
    """
    name, value = header
    if name == b"if-match":
        value = _TAG.sub(b"", value)
    elif name == b"if-none-match":
        for coding in codings:
            value = value.replace(b'-%s"' % coding, b'"')
    return name, value
