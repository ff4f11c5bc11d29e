"""Compression of responses, with an entity tag for each coding (RFC 9110, sections 8.4 and 8.8.3)."""

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
"""Bytes. Smaller bodies are not compressed."""
_STREAM_SIZE = 65_536
"""Bytes. Larger chunks are compressed in a thread, because they would block the event loop."""

_TAG = re.compile(rb'-(?:br|gzip)(?=")')


def _brotli() -> tuple[Feed, Finish]:
    compressor = brotli.Compressor(quality=4)
    return compressor.process, compressor.finish


def _gzip() -> tuple[Feed, Finish]:
    compressor = zlib.compressobj(level=4, wbits=31)
    return compressor.compress, compressor.flush


_ENCODINGS = {b"br": _brotli, b"gzip": _gzip}
"""Compressors of the content codings. The first is preferred."""


class CompressionMiddleware:
    """
    Compresses the responses that have `Vary: Accept-Encoding`. Responses with secrets do not have it.

    A compressed response is another representation, so its entity tag ends with the coding: `"5d41-br"`. Requests send
    such tags back. The application gets them without the coding.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept, none_match, has_if_match = b"", b"", False
        for name, value in scope.get("headers", ()):
            if name == b"accept-encoding":
                accept += b"," + value
            elif name == b"if-none-match":
                none_match += b"," + value
            elif name == b"if-match":
                has_if_match = True
        codings = acceptable_codings(accept) if accept else ()
        if has_if_match or (none_match and codings):
            scope = {**scope, "headers": [_without_codings(header, codings) for header in scope["headers"]]}
        if codings:
            send = _Sender(send, scope["method"], codings, none_match)
        await self.app(scope, receive, send)


class _Sender:
    """Sends one response on, compressed if it may be."""

    def __init__(self, send: Send, method: str, codings: tuple[bytes, ...], none_match: bytes) -> None:
        self.send, self.method, self.codings, self.none_match = send, method, codings, none_match
        self.start: Message | None = None
        self.feed: Feed | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == 304:
                message["headers"] = [self._restore_tag(header) for header in message["headers"]]
            elif _may_be_compressed(message["headers"]):
                # Without a Content-Length the size is known only with the body.
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
            start["headers"] = [*_encode_headers(start["headers"], self.codings[0])]
            if self.method != "HEAD":
                self.feed, self.finish = _ENCODINGS[self.codings[0]]()
                body = await self._compress(body, more)
                message["body"] = body
                if not more:
                    start["headers"].append((b"content-length", b"%d" % len(body)))
        await self.send(start)
        await self.send(message)

    async def _go_on(self, message: Message) -> None:
        more = message.get("more_body", False)
        message["body"] = await self._compress(message.get("body", b""), more)
        if message["body"] or not more:
            await self.send(message)

    async def _compress(self, body: bytes, more: bool) -> bytes:
        assert self.feed
        compressed = await asyncio.to_thread(self.feed, body) if len(body) > _STREAM_SIZE else self.feed(body)
        return compressed if more else compressed + self.finish()

    def _restore_tag(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Return an ETag of a 304 as the request has it, with the first of the accepted codings that it names."""
        name, tag = header
        if name == b"etag":
            tag = next((each for coding in self.codings if (each := _add_suffix(tag, coding)) in self.none_match), tag)
        return name, tag


@lru_cache(maxsize=256)
def acceptable_codings(header: bytes) -> tuple[bytes, ...]:
    """
    Return the codings that *header*, a value of Accept-Encoding, accepts, the preferred one first.

    The result is empty if the header prefers `identity`, or is malformed.
    """
    weights = {name.lower().encode("latin-1"): quality for name, quality in parse_accept(header)}
    qualities = {coding: weights.get(coding, weights.get(b"*", 0)) for coding in _ENCODINGS}
    allowed = [
        coding for coding in _ENCODINGS if qualities[coding] and qualities[coding] >= weights.get(b"identity", 0)
    ]
    return tuple(sorted(allowed, key=qualities.__getitem__, reverse=True))


def _may_be_compressed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    names = {name for name, _ in headers}
    return any(name == b"vary" and b"Accept-Encoding" in value for name, value in headers) and not (
        {b"content-encoding", b"content-range"} & names
    )


def _encode_headers(headers: Iterable[tuple[bytes, bytes]], coding: bytes) -> RawHeaders:
    encoded = [
        (name, _add_suffix(value, coding) if name == b"etag" else value)
        for name, value in headers
        if name != b"content-length"
    ]
    return [*encoded, (b"content-encoding", coding)]


def _add_suffix(tag: bytes, coding: bytes) -> bytes:
    return b'%s-%s"' % (tag[:-1], coding)


def _without_codings(header: tuple[bytes, bytes], codings: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """
    Return a precondition without codings in its entity tags.

    `If-None-Match` loses only the accepted codings: a client with a response in another coding does not have the
    representation that it would get now. `If-Match` loses all of them, because a write changes the resource, in
    whichever coding it was read.
    """
    name, value = header
    if name == b"if-match":
        value = _TAG.sub(b"", value)
    elif name == b"if-none-match":
        for coding in codings:
            value = value.replace(b'-%s"' % coding, b'"')
    return name, value
