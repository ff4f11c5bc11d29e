"""Compression of responses, with an entity tag for each coding (RFC 9110, sections 8.4 and 8.8.3)."""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache

import brotli
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.headers import RawHeaders, header_fields
from accord.engine.negotiation import parse_accept
from accord.engine.renderers.response import ENCODINGS, Encodings

Feed = Callable[[bytes], bytes]
Finish = Callable[[], bytes]

MINIMUM_SIZE = 500
"""Bytes. Smaller bodies are not compressed."""
_STREAM_SIZE = 65_536
"""Bytes. Larger chunks are compressed in a thread, because they would block the event loop."""

_CODING = rb"br|gzip|gz|zstd|zst|deflate|df|compress"
_TAG_CODINGS = re.compile(rb'(?:(?:--|[-;/+:._])(?:x-)?(?:%b)){1,2}(?=")' % _CODING, re.IGNORECASE)
"""The end of an entity tag that names codings: of this service and Apache (`-gzip`), Jetty (`--gzip`), and others."""
_CODINGS = re.compile(_CODING, re.IGNORECASE)
_ALIASES = {"gz": "gzip", "zst": "zstd", "df": "deflate"}


def _brotli() -> tuple[Feed, Finish]:
    compressor = brotli.Compressor(quality=4)
    return compressor.process, compressor.finish


def _gzip() -> tuple[Feed, Finish]:
    compressor = zlib.compressobj(level=4, wbits=31)
    return compressor.compress, compressor.flush


_COMPRESSORS = {b"br": _brotli, b"gzip": _gzip}
"""Compressors of the content codings. The first is preferred."""


class CompressionMiddleware:
    """
    Compresses the responses that have `Vary: Accept-Encoding`. Responses with secrets do not have it.

    A compressed response is another representation, so its entity tag ends with the coding: `"5d41-br"`. A proxy that
    compresses does the same, and each in its own way. Requests send such tags back. The application gets them without
    the coding: see `_remove_codings`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers = header_fields(scope.get("headers", ()))
        accept, none_match = headers.get(b"accept-encoding"), headers.get(b"if-none-match", b"")
        if none_match or b"if-match" in headers:
            scope = {**scope, "headers": _remove_codings(scope["headers"], scope["method"], accept)}
        if accept and (codings := acceptable_codings(accept)):
            send = _Sender(send, scope["method"], codings, none_match)
        return self.app(scope, receive, send)


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
            coding = self.codings[0]
            start["headers"] = [*_encode_headers(start["headers"], coding)]
            if self.method != "HEAD":
                stored: Encodings | None = message.get(ENCODINGS)
                encoded = None if stored is None else stored.get(coding)
                if encoded is None:
                    self.feed, self.finish = _COMPRESSORS[coding]()
                    encoded = await self._compress(body, more)
                    if stored is not None:
                        stored.setdefault(coding, encoded)
                body = encoded
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
    qualities = {coding: weights.get(coding, weights.get(b"*", 0)) for coding in _COMPRESSORS}
    allowed = [
        coding for coding in _COMPRESSORS if qualities[coding] and qualities[coding] >= weights.get(b"identity", 0)
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


def _remove_codings(headers: RawHeaders, method: str, accept: bytes | None) -> RawHeaders:
    """
    Return *headers* with preconditions that have no codings in their entity tags.

    A change concerns the resource, in whichever coding it was read. So does `If-Match`, except with `Range`: an encoded
    representation has other bytes. `If-None-Match` of a GET loses only the codings that the request accepts: a client
    with a response in another coding does not have the representation that it would get now.
    """
    is_read = method in ("GET", "HEAD")
    has_range = is_read and any(name == b"range" for name, _ in headers)
    accepted = {b"if-match": b"" if has_range else None, b"if-none-match": accept if is_read else None}
    return [(name, _without_codings(value, accepted[name]) if name in accepted else value) for name, value in headers]


def _without_codings(value: bytes, accept: bytes | None) -> bytes:
    """
    Return *value*, a list of entity tags, without the codings that *accept*, a value of Accept-Encoding, accepts.

    Without Accept-Encoding all codings are accepted (RFC 9110, section 12.5.3).
    """
    return _TAG_CODINGS.sub(lambda end: b"" if _accepts(accept, end[0]) else end[0], value)


def _accepts(accept: bytes | None, end: bytes) -> bool:
    """Return whether a value of Accept-Encoding accepts all codings at the end of an entity tag."""
    if accept is None:
        return True
    weights = {name.lower(): quality for name, quality in parse_accept(accept)}
    names = (name.decode().lower() for name in _CODINGS.findall(end))
    return all(weights.get(_ALIASES.get(name, name), weights.get("*", 0)) for name in names)
