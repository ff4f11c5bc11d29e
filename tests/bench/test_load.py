"""The load generator counts what it sends, and its latencies begin when a request was due."""

import itertools
import socket
import threading

import pytest

from bench.load import Load, LoadError, Schedule, is_complete, load, load_groups, paced_load

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """A server that responds to the requests of all connections with the same bytes."""

    def __init__(self, response, on_request=lambda number: None):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.response = response
        self.on_request = on_request
        self.numbers = itertools.count()
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection):
        with connection:
            while received := connection.recv(4096):
                self.requests.append(received)
                self.on_request(next(self.numbers))
                connection.sendall(self.response)


@pytest.fixture
def serve():
    servers = []

    def start(*arguments):
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.listening.close()


def test_percentile_is_the_nearest_rank():
    loaded = Load(2.0, [n * 1_000_000 for n in range(1, 1001)])
    assert [loaded.percentile(percent) for percent in (0, 50, 99, 99.9, 100)] == [1, 500, 990, 999, 1000]
    assert Load(1.0, [7_000_000]).percentile(99.9) == 7
    assert loaded.per_second == 500


def test_schedule_has_fixed_times():
    schedule = Schedule.of(10, 500, 2)
    assert schedule.count == 1000
    assert [schedule.time(number) for number in (0, 1, 999)] == [10, 2_000_010, 1_998_000_010]
    assert Schedule.of(0, 0.1, 1).count == 1


def test_times_of_a_schedule_do_not_drift():
    schedule = Schedule.of(0, 3, 1_000)
    assert schedule.time(3_000) == 1_000 * 10**9


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Len", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", False),
        (FINE, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
    ],
)
def test_response_is_complete_with_its_body(response, expected):
    assert is_complete(response) is expected


def test_response_without_length_is_refused():
    with pytest.raises(LoadError, match="no length"):
        is_complete(b"HTTP/1.1 200 OK\r\n\r\n{}")


def test_load_ends_with_its_messages(serve):
    server = serve(FINE)
    messages = itertools.repeat(REQUEST, 25)
    measured = load(server.port, messages, statuses=(200,), connections=4, seconds=float("inf"))
    assert len(measured.latencies) == len(server.requests) == 25
    assert measured.latencies == sorted(measured.latencies)


def test_load_without_messages_sends_nothing(serve):
    server = serve(FINE)
    assert load(server.port, iter(()), statuses=(200,), connections=2, seconds=float("inf")).latencies == []
    assert server.requests == []


def test_groups_have_connections_and_latencies_of_their_own(serve):
    server = serve(FINE)
    groups = [(itertools.repeat(REQUEST, 20), 3), (itertools.repeat(b"POST / HTTP/1.1\r\n\r\n", 5), 1)]
    reads, writes = load_groups(server.port, groups, statuses=(200,), seconds=float("inf"))
    assert (len(reads.latencies), len(writes.latencies)) == (20, 5)
    assert sum(request.startswith(b"POST") for request in server.requests) == 5


@pytest.mark.parametrize("statuses", [(201,), (404, 500)])
def test_other_status_is_refused(serve, statuses):
    with pytest.raises(LoadError, match=f"not {' or '.join(map(str, statuses))}: HTTP/1.1 200"):
        load(serve(FINE).port, itertools.repeat(REQUEST), statuses=statuses, connections=1, seconds=1)


def test_any_of_the_statuses_is_taken(serve):
    server = serve(FINE)
    measured = load(server.port, itertools.repeat(REQUEST, 3), statuses=(201, 200), connections=1, seconds=9)
    assert len(measured.latencies) == 3


def test_paced_load_sends_all_that_is_scheduled_after_a_stall(serve):
    """The server holds the first response until all requests are due. A closed loop would have sent fewer."""
    schedule = Schedule.of(0, 1_000, 0.2)
    due = threading.Event()
    all_due = threading.Timer(schedule.time(schedule.count) / 1e9, due.set)

    def stall(number):
        if number == 0:
            all_due.start()
            due.wait()

    server = serve(FINE, stall)
    measured = paced_load(
        server.port, itertools.repeat(REQUEST), statuses=(200,), connections=1, per_second=1_000, seconds=0.2
    )
    assert len(measured.latencies) == len(server.requests) == schedule.count
    # The requests behind the stall were due one after the other during it, so most latencies are a part of it.
    stalled = measured.latencies[-1]
    assert sum(latency > stalled / 4 for latency in measured.latencies) > schedule.count / 2
