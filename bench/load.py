"""The load generator: a few kept connections, each with one request under way."""

import gc
import re
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter_ns

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_PATIENCE = 10.0


class LoadError(Exception):
    """The server did not do what it should."""


@dataclass(frozen=True)
class Load:
    """What came of it: latencies are in nanoseconds and sorted."""

    seconds: float
    latencies: list[int]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds within which so many percent of the requests were answered."""
        return self.latencies[int((len(self.latencies) - 1) * percent / 100)] / 1e6


def load(port: int, messages: Iterator[bytes], *, status: int, connections: int, seconds: float) -> Load:
    """Send the messages for so long and wait for the last answers; LoadError if one has another status."""
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
                ready = poll.poll(_PATIENCE)
                if not ready:
                    raise LoadError(f"No answer within {_PATIENCE:.0f} seconds.")
                for number, _ in ready:
                    connection = sockets[number]
                    received = connection.recv(1 << 18)
                    if not received:
                        raise LoadError("The server closed a connection.")
                    answer = unfinished.pop(number, b"") + received
                    if not _is_whole(answer):
                        unfinished[number] = answer
                        continue
                    if not answer.startswith(expected):
                        raise LoadError(f"Not the status {status}: {answer[:1000].decode(errors='replace')}")
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


def _is_whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    if length := _CONTENT_LENGTH.search(answer, 0, head):
        return len(answer) >= head + 4 + int(length[1])
    if _CHUNKED.search(answer, 0, head):
        return answer.endswith(b"\r\n0\r\n\r\n")
    raise LoadError("An answer of unknown length.")
