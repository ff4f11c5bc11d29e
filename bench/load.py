"""The load generator: a few persistent connections, each with one active request."""

import gc
import itertools
import math
import re
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        """Return the latency of this percentile in milliseconds, by the nearest rank."""
        return self.latencies[max(0, math.ceil(len(self.latencies) * percent / 100) - 1)] / 1e6


@dataclass(frozen=True)
class Schedule:
    """Times of requests at a fixed rate, in nanoseconds. The number of requests does not depend on the server."""

    begin: int
    per_second: float
    count: int

    @classmethod
    def of(cls, begin: int, per_second: float, seconds: float) -> "Schedule":
        """Return the schedule of this duration, with at least one request."""
        return cls(begin, per_second, max(1, round(per_second * seconds)))

    def time(self, number: int) -> int:
        """Return the time of this request. The first has number 0."""
        return self.begin + round(number * 1e9 / self.per_second)


def load(port: int, messages: Iterator[bytes], *, statuses: Sequence[int], connections: int, seconds: float) -> Load:
    """
    Send the messages for this time or until there are no more, and wait for the last responses.

    Raises LoadError for another status.
    """
    return load_groups(port, [(messages, connections)], statuses=statuses, seconds=seconds)[0]


def load_groups(
    port: int, groups: Sequence[tuple[Iterator[bytes], int]], *, statuses: Sequence[int], seconds: float
) -> list[Load]:
    """Send the messages of each group over its own number of connections, all at the same time."""
    loads: list[list[int]] = [[] for _ in groups]
    with _connections(port, sum(count for _, count in groups), statuses) as connections:
        numbers = iter(connections.numbers)
        assigned: dict[int, tuple[Iterator[bytes], list[int]]] = {}
        for (messages, count), latencies in zip(groups, loads, strict=True):
            assigned |= dict.fromkeys(itertools.islice(numbers, count), (messages, latencies))
        sent: dict[int, int] = {}
        begin = perf_counter_ns()
        end = begin + seconds * 1e9
        for number, (messages, _) in assigned.items():
            if message := next(messages, None):
                sent[number] = perf_counter_ns()
                connections.send(number, message)
        while sent:
            for number in connections.receive(_TIMEOUT):
                messages, latencies = assigned[number]
                now = perf_counter_ns()
                latencies.append(now - sent[number])
                if now < end and (message := next(messages, None)):
                    sent[number] = now
                    connections.send(number, message)
                else:
                    del sent[number]
        elapsed = (perf_counter_ns() - begin) / 1e9
    return [Load(elapsed, sorted(latencies)) for latencies in loads]


def paced_load(
    port: int,
    messages: Iterator[bytes],
    *,
    statuses: Sequence[int],
    connections: int,
    per_second: float,
    seconds: float,
) -> Load:
    """
    Send the messages at a fixed rate, however long the responses take.

    A latency counts from the time that the schedule has for the request, also if all connections were busy then.
    Otherwise a slow response would hide the requests that were not sent because of it.
    """
    latencies: list[int] = []
    with _connections(port, connections, statuses) as opened:
        idle = list(opened.numbers)
        due: dict[int, int] = {}
        schedule = Schedule.of(perf_counter_ns(), per_second, seconds)
        following = 0
        while following < schedule.count or due:
            while idle and following < schedule.count and schedule.time(following) <= perf_counter_ns():
                number = idle.pop()
                due[number] = schedule.time(following)
                opened.send(number, next(messages))
                following += 1
            waits = bool(idle) and following < schedule.count
            until = (schedule.time(following) - perf_counter_ns()) / 1e9 if waits else _TIMEOUT
            for number in opened.receive(max(0.0, until), is_error=not waits):
                latencies.append(perf_counter_ns() - due.pop(number))
                idle.append(number)
        elapsed = (perf_counter_ns() - schedule.begin) / 1e9
    return Load(elapsed, sorted(latencies))


class _Connections:
    """Connections to a server that have at most one request each. They are named by numbers."""

    def __init__(self, poll: select.epoll, statuses: Sequence[int]) -> None:
        self._poll = poll
        self._expected = tuple(b"HTTP/1.1 %d " % status for status in statuses)
        self._statuses = statuses
        self._sockets: dict[int, socket.socket] = {}
        self._unfinished: dict[int, bytes] = {}

    @property
    def numbers(self) -> Sequence[int]:
        return list(self._sockets)

    def open(self, port: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._sockets[connection.fileno()] = connection
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def send(self, number: int, message: bytes) -> None:
        self._sockets[number].send(message)

    def receive(self, timeout: float, *, is_error: bool = True) -> list[int]:
        """
        Return the connections with a complete response, or none after *timeout* seconds.

        Raises LoadError for a wrong response, and for none if that is an error.
        """
        if is_error:
            ready = self._poll.poll(timeout)
            if not ready:
                raise LoadError(f"No response within {timeout:.0f} seconds.")
        else:
            # epoll waits for whole milliseconds, which is too coarse for a schedule. select waits for microseconds.
            select.select([self._poll], [], [], timeout)
            ready = self._poll.poll(0)
        return [number for number, _ in ready if self._is_complete(number)]

    def close(self) -> None:
        for connection in self._sockets.values():
            connection.close()

    def _is_complete(self, number: int) -> bool:
        received = self._sockets[number].recv(1 << 18)
        if not received:
            raise LoadError("The server closed a connection.")
        response = self._unfinished.pop(number, b"") + received
        if not is_complete(response):
            self._unfinished[number] = response
            return False
        if not response.startswith(self._expected):
            expected = " or ".join(map(str, self._statuses))
            raise LoadError(f"The status is not {expected}: {response[:1000].decode(errors='replace')}")
        return True


@contextmanager
def _connections(port: int, count: int, statuses: Sequence[int]) -> Iterator[_Connections]:
    gc.disable()
    with select.epoll() as poll:
        connections = _Connections(poll, statuses)
        try:
            for _ in range(count):
                connections.open(port)
            yield connections
        finally:
            gc.enable()
            connections.close()


def is_complete(response: bytes) -> bool:
    """Return whether the response has its whole body. Raises LoadError if it has no length."""
    head = response.find(b"\r\n\r\n")
    if head < 0:
        return False
    if length := _CONTENT_LENGTH.search(response, 0, head):
        return len(response) >= head + 4 + int(length[1])
    if _CHUNKED.search(response, 0, head):
        return response.endswith(b"\r\n0\r\n\r\n")
    raise LoadError("The response has no length.")
