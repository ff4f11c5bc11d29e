"""The load generator: a few persistent connections, each with one active request."""

import gc
import re
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter_ns

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_TIMEOUT = 10.0


class LoadError(Exception):
    """The server closed a connection, timed out or sent another status."""


@dataclass(frozen=True)
class Load:
    """The result of a load. The latencies are in nanoseconds and sorted."""

    seconds: float
    latencies: list[int]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency of this percentile in milliseconds."""
        return self.latencies[int((len(self.latencies) - 1) * percent / 100)] / 1e6


def load(port: int, messages: Iterator[bytes], *, status: int, connections: int, seconds: float) -> Load:
    """Send the messages for this time, and wait for the last responses. Raises LoadError for another status."""
    expected = b"HTTP/1.1 %d " % status
    latencies: list[int] = []
    sockets: dict[int, socket.socket] = {}
    sent: dict[int, int] = {}
    unfinished: dict[int, bytes] = {}
    gc.disable()
    with select.epoll() as poll:
        begin = perf_counter_ns()
        end = begin + int(seconds * 1e9)
        try:
            for _ in range(connections):
                connection = socket.create_connection(("127.0.0.1", port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setblocking(False)
                number = connection.fileno()
                sockets[number] = connection
                poll.register(number, select.EPOLLIN)
                sent[number] = perf_counter_ns()
                connection.send(next(messages))
            while sent:
                ready = poll.poll(_TIMEOUT)
                if not ready:
                    raise LoadError(f"No response within {_TIMEOUT:.0f} seconds.")
                for number, _ in ready:
                    connection = sockets[number]
                    received = connection.recv(1 << 18)
                    if not received:
                        raise LoadError("The server closed a connection.")
                    response = unfinished.pop(number, b"") + received
                    if not _is_complete(response):
                        unfinished[number] = response
                        continue
                    if not response.startswith(expected):
                        raise LoadError(f"The status is not {status}: {response[:1000].decode(errors='replace')}")
                    now = perf_counter_ns()
                    latencies.append(now - sent[number])
                    if now < end:
                        sent[number] = now
                        connection.send(next(messages))
                    else:
                        del sent[number]
        finally:
            gc.enable()
            for connection in sockets.values():
                connection.close()
    return Load((perf_counter_ns() - begin) / 1e9, sorted(latencies))


def _is_complete(response: bytes) -> bool:
    head = response.find(b"\r\n\r\n")
    if head < 0:
        return False
    if length := _CONTENT_LENGTH.search(response, 0, head):
        return len(response) >= head + 4 + int(length[1])
    if _CHUNKED.search(response, 0, head):
        return response.endswith(b"\r\n0\r\n\r\n")
    raise LoadError("The response has no length.")
