"""HTTP as bytes on a socket: what is sent is what the test wrote, and nothing is mended on the way."""

import contextlib
import json
import socket
from dataclasses import dataclass, replace
from typing import Any, Self

HOST = b"Host: 127.0.0.1\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer as it came; header names are in lower case, in the order they came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    reason: str = ""

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return (self.header("connection") or "").lower() == "close"


class Wire:
    """One connection to a server."""

    def __init__(self, port: int, *, timeout: float = 10.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        # A second piece does not wait until the first one is acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def tell(self, data: bytes) -> None:
        """Send as much as the server takes; it may have answered, and hung up, in the middle."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def hang_up(self) -> None:
        """Go away without a word, as a process that is killed does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def answer(self, *, method: bytes = b"GET") -> Answer:
        """The next answer; an answer to HEAD has no body, whatever its length says."""
        start, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = start.split(" ", 2)
        assert version == "HTTP/1.1", start
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = Answer(int(status), headers, b"", reason)
        if answer.status < 200 or answer.status in {204, 304} or method == b"HEAD":
            return answer
        if (length := answer.header("content-length")) is not None:
            return replace(answer, body=self._take(int(length)))
        if answer.header("transfer-encoding") == "chunked":
            return replace(answer, body=self._chunks())
        return replace(answer, body=self.rest())

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes in this time."""
        if self._seen:
            return False
        before = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            self._seen = self._socket.recv(65_536)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(before)
        return False

    def rest(self) -> bytes:
        """All that comes until the server closes the connection; TimeoutError if it does not."""
        with contextlib.suppress(ConnectionResetError):
            while more := self._socket.recv(65_536):
                self._seen += more
        rest, self._seen = self._seen, b""
        return rest

    def _chunks(self) -> bytes:
        made = b""
        while size := int(self._until(b"\r\n"), 16):
            made += self._take(size)
            self._take(2)
        self._until(b"\r\n")
        return made

    def _until(self, end: bytes) -> bytes:
        while end not in self._seen:
            self._more()
        found, _, self._seen = self._seen.partition(end)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._seen) < size:
            self._more()
        taken, self._seen = self._seen[:size], self._seen[size:]
        return taken

    def _more(self) -> None:
        more = self._socket.recv(65_536)
        if not more:
            raise EOFError(f"The server closed the connection after {self._seen!r}.")
        self._seen += more


def request(
    method: str, target: str | bytes, *lines: str | bytes, body: bytes | None = None, host: bool = True
) -> bytes:
    """The bytes of a request; *lines* are header lines, and a body brings its Content-Length."""
    made = [method.encode("latin-1") + b" " + _bytes(target) + b" HTTP/1.1"]
    made += [b"Host: 127.0.0.1"] if host else []
    made += map(_bytes, lines)
    made += [] if body is None else [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*made, b"", body or b""])


def exchange(port: int, data: bytes, *, method: bytes = b"GET") -> Answer:
    """The answer to the only request of a connection."""
    with Wire(port) as wire:
        wire.tell(data)
        return wire.answer(method=method)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
