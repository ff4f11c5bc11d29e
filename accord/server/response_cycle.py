"""The response of uvicorn to one request, which is written at once if it is complete."""

import re
from asyncio import Event
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from accord.server.protocol import HttpProtocol

MAX_UNREAD_SIZE = 256 * 1024
"""Maximum bytes of a body that a response did not wait for, and that is read to its end to keep the connection."""


class ResponseCycle(RequestResponseCycle):
    """
    Writes a complete response of known length at once, and validates its header section once and not field by field.

    This halves the cost of a small response in the server. uvicorn handles all other responses, and reports the errors
    in any of them.
    """

    start: Any = None
    """The start message of a response, until the first body message."""

    # As uvicorn sets them. What most requests do not change is here, once for all.
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    access_log = False

    def __init__(self, connection: "HttpProtocol", *, expects_100: bool, keep_alive: bool) -> None:
        self.request_headers = connection.headers
        self.scope = connection.scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.default_headers = connection.server_state.default_headers
        self.message_event = Event()
        self.on_response = connection.on_response_complete
        self.done = connection.done
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_100
        self.body = bytearray()

    def send(self, message: Any) -> Awaitable[None]:  # type: ignore[override]  # A coroutine costs more.
        start, self.start = self.start, None
        if message["type"] == "http.response.start" and not self.response_started:
            # It replaces one whose body could not be made.
            self.start = message
            if self.more_body and self._has_long_body():
                self.keep_alive = False
        elif start is None:
            return super().send(message)
        elif not self._send_response(start, message):
            return self._send_one_by_one(start, message)
        return self.done

    async def _send_one_by_one(self, *messages: Any) -> None:
        for message in messages:
            await super().send(message)

    def _send_response(self, start: Any, message: Any) -> bool:
        """Send the response, and return True, or return False if uvicorn must send it."""
        if message.get("more_body") or self.flow.write_paused or self.disconnected:
            return False
        status, headers = start["status"], start["headers"]
        is_head = self.scope["method"] == "HEAD"
        body = b"" if is_head else message.get("body", b"")
        try:
            lines = [STATUS_LINE[status], *map(_line_of, self.default_headers), *map(_line_of, headers)]
        except (TypeError, ValueError):
            # Another application may send a header as a list.
            return False
        if status not in (204, 304):
            names_length = (b"content-length", b"%d" % len(body)) in headers
            if not (b"content-length" in dict(headers) if is_head else names_length):
                return False
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        lines.append(body)
        self.response_started = True
        self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(lines))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def _has_long_body(self) -> bool:
        length = self.request_headers.fields.get(b"content-length")
        return length is None or int(length) > MAX_UNREAD_SIZE


class _HeaderLines(dict[tuple[bytes, bytes], bytes]):
    """
    Headers as they are sent. Most are the same in many responses.

    Raises ValueError for a header that is malformed, or that uvicorn must interpret.
    """

    def __missing__(self, header: tuple[bytes, bytes]) -> bytes:
        line = b"%b: %b" % header
        is_printable = line.isascii() and line.decode("ascii").isprintable()
        if header[0] in _CONNECTION_HEADERS or (not is_printable and _CONTROL.search(line)):
            raise ValueError
        line += b"\r\n"
        # Each request has another id.
        if header[0] != b"x-request-id":
            if len(self) >= _MAX_LINES:
                self.clear()
            self[header] = line
        return line


_MAX_LINES = 1000
_line_of = _HeaderLines().__getitem__
_CONNECTION_HEADERS = frozenset({b"connection", b"transfer-encoding"})
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
