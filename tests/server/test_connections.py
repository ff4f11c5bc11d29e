"""What comes after an answer on the same connection: the next request, and nothing of the one before."""

import asyncio
import gc
import socket
import struct
import time
import weakref
from inspect import signature
from types import SimpleNamespace

import psutil
import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from accord.server.protocol import HttpProtocol
from accord.server.response_cycle import ResponseCycle
from accord.server.timeouts import Timeouts
from accord.settings import Settings
from tests.support.server import PATIENCE
from tests.support.servers import JSON
from tests.support.wire import request

LIVE = request("GET", "/health/live")
PLAIN = "Content-Type: text/plain"
HIDDEN = request("DELETE", "/api/v1/auth/sessions/01890a5d-ac96-774b-bcce-b302099a8057")


def body_of(size):
    """A body that would be a request, were it read as one."""
    return (HIDDEN * (size // len(HIDDEN) + 1))[:size]


REFUSED = {
    "no such path": (404, "/nowhere", []),
    "no credentials": (401, "/api/v1/products", [JSON]),
    "credentials that are none": (401, "/api/v1/products", [JSON, "Authorization: Bearer x"]),
    "not allowed": (405, "/health/live", [JSON]),
}


@pytest.mark.parametrize(("status", "path", "lines"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("size", [10, 70_000])
def test_body_of_a_refused_request_is_not_the_next_request(wire, status, path, lines, size):
    wire.tell(request("POST", path, *lines, body=body_of(size)))
    answer = wire.answer()
    assert answer.status == status
    if answer.closes:
        assert wire.rest() == b""
    else:
        wire.send(LIVE)
        assert wire.answer().json == {"status": "ok"}


@pytest.mark.parametrize(("status", "line"), [(415, PLAIN), (422, JSON), (400, JSON)])
def test_connection_is_good_for_more_after_a_body_was_refused(shop, wire, status, line):
    wire.send(
        request("POST", "/api/v1/products", shop.authorization, line, body=b"{}" if status == 422 else body_of(500))
    )
    assert wire.answer().status == status
    wire.send(LIVE)
    assert wire.answer().json == {"status": "ok"}


def test_pipelined_requests_are_answered_in_their_order(shop, wire):
    paths = {"/health/live": 200, "/nowhere": 404, "/api/v1/products?per_page=1": 200, "/api/v1/auth/me": 401}
    wire.send(b"".join(request("GET", path) for path in paths) + shop.create(body=b"{") + LIVE)
    assert [wire.answer().status for _ in paths] == list(paths.values())
    assert wire.answer().status == 400
    assert wire.answer().json == {"status": "ok"}


def test_hundreds_of_pipelined_requests_are_all_answered(wire):
    wire.send(LIVE * 300)
    assert {wire.answer().status for _ in range(300)} == {200}


def test_pipelined_writes_are_all_done(shop, wire):
    wire.send(b"".join(shop.create(body=shop.product()) for _ in range(10)))
    answers = [wire.answer() for _ in range(10)]
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 10


def test_connection_of_http_1_0_is_closed(wire):
    wire.send(b"GET /health/live HTTP/1.0\r\n\r\n")
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (200, True, b"")


def test_caller_may_ask_to_close(wire):
    wire.send(request("GET", "/health/live", "Connection: close") + LIVE)
    assert wire.answer().status == 200
    assert wire.rest() == b""


class TestKeepAlive:
    """A proxy that keeps a connection longer than the service may send a request that is lost with it."""

    @pytest.mark.parametrize("seconds", [60, 90, 120, 600], ids=["nginx and AWS", "Traefik", "Caddy", "Google Cloud"])
    def test_default_is_longer_than_that_of_a_proxy(self, seconds):
        assert Settings(_env_file=None).keep_alive_timeout > seconds

    @pytest.fixture(scope="class")
    @classmethod
    def patient(cls, start):
        return start("sqlite", ACCORD_HEADER_TIMEOUT="0.3", ACCORD_KEEP_ALIVE_TIMEOUT="3600")

    @pytest.mark.parametrize("before", [b"", LIVE])
    def test_time_for_headers_begins_with_their_first_byte(self, patient, before):
        with patient.wire() as wire:
            wire.send(before)
            if before:
                assert wire.answer().status == 200
            assert wire.is_silent(1)
            wire.send(LIVE)
            assert wire.answer().status == 200

    def test_connection_is_idle_after_the_rest_of_a_body(self, patient):
        with patient.wire() as wire:
            wire.send(request("POST", "/nowhere", JSON, "Content-Length: 2000"))
            assert wire.answer().status == 404
            wire.send(b" " * 2_000)
            assert wire.is_silent(1)
            wire.send(LIVE)
            assert wire.answer().status == 200

    def test_beginning_of_a_request_behind_another_one_has_the_time_of_headers(self, patient):
        with patient.wire() as wire:
            wire.send(LIVE + b"GET /")
            assert wire.answer().status == 200
            answer = wire.answer()
            assert (answer.status, answer.closes, wire.rest()) == (408, True, b"")

    def test_connection_that_the_client_resets_is_not_kept_in_memory(self):
        """Probes of load balancers end so, several times a second."""
        config = uvicorn.Config(Starlette(), log_config=None, timeout_keep_alive=3600)
        config.load()
        timeouts = Timeouts(header=10, body=20, write=60)
        connections, connected = [], asyncio.Event()

        def connect():
            connection = HttpProtocol(timeouts=timeouts, config=config, server_state=ServerState(), app_state={})
            connections.append(weakref.ref(connection))
            connected.set()
            return connection

        async def reset():
            server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
            async with server, asyncio.timeout(PATIENCE):
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await connected.wait()
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                while connections[0]():
                    await asyncio.sleep(0.01)
                    gc.collect()

        asyncio.run(reset())

    def test_reset_connection_is_released_after_its_requests(self):
        """The requests of a connection share a task, which the server waits for while it stops."""
        begun = asyncio.Event()

        async def app(scope, receive, send):
            begun.set()
            while (await receive())["type"] != "http.disconnect":
                pass

        config = uvicorn.Config(app, log_config=None, timeout_keep_alive=3600, interface="asgi3")
        config.load()
        timeouts = Timeouts(header=10, body=20, write=60)
        state, draining = ServerState(), SimpleNamespace(is_draining=False)
        connections = []

        def connect():
            options = {"config": config, "server_state": state, "app_state": {"graceful_shutdown": draining}}
            connection = HttpProtocol(timeouts=timeouts, **options)
            connections.append(weakref.ref(connection))
            return connection

        async def reset():
            server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
            async with server, asyncio.timeout(PATIENCE):
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(LIVE)
                await begun.wait()
                assert len(state.tasks) == 1
                writer.transport.abort()
                while state.tasks or connections[0]():
                    await asyncio.sleep(0.01)
                    gc.collect()

        asyncio.run(reset())


class TestExpect:
    """`Expect: 100-continue` (RFC 9110, section 10.1.1): the caller keeps the body until it is asked for."""

    def test_body_is_asked_for_when_it_is_wanted(self, shop, wire):
        body = shop.product()
        wire.send(shop.create("Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert wire.answer().status == 100
        wire.send(body)
        assert wire.answer().status == 201

    @pytest.mark.parametrize(
        ("status", "path", "lines"),
        [
            *REFUSED.values(),
            (415, "/api/v1/products", ["{authorization}", PLAIN]),
            (413, "/api/v1/products", ["{authorization}", JSON, "Content-Length: 2000000"]),
        ],
        ids=[*REFUSED, "another media type", "too large"],
    )
    def test_body_that_is_not_wanted_is_not_asked_for(self, shop, wire, status, path, lines):
        lines = [line.replace("{authorization}", shop.authorization) for line in lines]
        length = [] if status == 413 else ["Content-Length: 500"]
        wire.send(request("POST", path, *lines, *length, "Expect: 100-continue"))
        answer = wire.answer()
        assert answer.status == status
        # Nobody knows whether the body still comes, so what comes next must not be taken for it, nor it for a request.
        assert answer.closes
        assert wire.rest() == b""

    def test_body_that_comes_unasked_is_taken(self, shop, wire):
        wire.send(shop.create("Expect: 100-continue", body=shop.product()))
        answer = wire.answer()
        assert (wire.answer() if answer.status == 100 else answer).status == 201


def test_what_comes_before_a_broken_request_is_answered(shop, wire):
    wire.tell(shop.create(body=shop.product()) + b"nonsense\r\n\r\n" + LIVE)
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (201, True, b"")


class TestSlowClients:
    """A service whose operator gives a head, a pause and the taking of an answer one second each."""

    @pytest.mark.parametrize(("begun", "drip"), [(b"GET /", b"x"), (b"GET / HTTP/1.1\r\nX", b": y\r\nX")])
    @pytest.mark.parametrize("before", [b"", LIVE])
    def test_head_that_drips_is_a_408_and_the_connection_closed(self, impatient, before, begun, drip):
        with impatient.wire() as wire:
            wire.send(before)
            if before:
                assert wire.answer().status == 200
            wire.send(begun)
            drips = 0
            while wire.is_silent(0.2):
                wire.tell(drip)
                drips += 1
                assert drips < 25
            answer = wire.answer()
            assert (answer.status, answer.closes, wire.rest()) == (408, True, b"")

    @pytest.mark.parametrize("before", [b"", LIVE])
    def test_idle_connection_is_closed(self, impatient, before):
        with impatient.wire() as wire:
            wire.send(before)
            if before:
                assert wire.answer().status == 200
            assert wire.rest() == b""

    def test_empty_lines_do_not_keep_it_open(self, impatient):
        with impatient.wire() as wire:
            drips = 0
            while wire.is_silent(0.2):
                wire.tell(b"\r\n")
                drips += 1
                assert drips < 25
            assert wire.rest() == b""

    def test_head_that_comes_slowly_but_in_time_is_taken(self, impatient):
        with impatient.wire() as wire:
            for start in range(0, len(LIVE), 10):
                assert wire.is_silent(0.05)
                wire.send(LIVE[start : start + 10])
            assert wire.answer().status == 200

    def test_answers_that_nobody_takes_are_dropped_and_cost_no_memory(self, impatient):
        process = psutil.Process(impatient.server.process.pid)
        before, asked = process.memory_info().rss, request("GET", "/api/v1/openapi.json")
        length = len(impatient.exchange("GET", "/api/v1/openapi.json").body)
        with impatient.wire() as wire:
            wire.send(asked * 200)
            time.sleep(3)
            assert process.memory_info().rss - before < 50 * length
            assert len(wire.rest()) < 200 * length
        assert impatient.is_alive()


def served_by(app, sent):
    """What a connection to *app* has sent by its end, and the greatest number of requests that it had queued."""
    config = uvicorn.Config(app, log_config=None, timeout_keep_alive=1, interface="asgi3")
    config.load()
    options = {"config": config, "server_state": ServerState()}
    options["app_state"] = {"graceful_shutdown": SimpleNamespace(is_draining=False)}
    connections = []

    def connect():
        connections.append(HttpProtocol(timeouts=Timeouts(header=10, body=20, write=60), **options))
        return connections[0]

    async def exchange():
        most = 0
        server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
        async with server, asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            reading = asyncio.create_task(reader.read())
            while not reading.done():
                await asyncio.sleep(0.001)
                most = max(most, len(connections[0].pipeline) if connections else 0)
            writer.close()
            return await reading, most

    return asyncio.run(exchange())


@pytest.mark.parametrize("is_sent_at_once", [True, False])
def test_application_that_fails_between_head_and_body_of_its_response_is_a_500(is_sent_at_once):
    """So ends a file that became empty when it was opened."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        if not is_sent_at_once:
            await asyncio.sleep(0)
        raise EOFError

    answer, _ = served_by(app, LIVE)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"connection: close" in answer
    assert answer.endswith(b"Internal Server Error")


def test_header_of_a_response_may_be_a_list():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [[b"content-length", b"2"]]})
        await send({"type": "http.response.body", "body": b"{}"})

    answer, _ = served_by(app, LIVE)
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("reads_body", [False, True])
def test_requests_that_are_pipelined_are_not_queued_faster_than_they_are_answered(reads_body):
    async def app(scope, receive, send):
        if reads_body:
            await receive()
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    count = 2_000
    post = request("POST", "/", "X: " + "x" * 1_000, body=b"1")
    answer, most = served_by(app, post * count)
    assert answer.count(b"HTTP/1.1 204 ") == count
    # As many as arrive in one piece, of 256 KiB at most.
    assert most <= 2 * 256 * 1024 / len(post)


def test_last_request_gets_its_response_whatever_comes_after_it():
    """A server reads no further request after `Connection: close` (RFC 9112, section 9.6)."""

    async def app(scope, receive, send):
        await asyncio.sleep(0.5)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    answer, _ = served_by(app, request("GET", "/", "Connection: close") + LIVE * 20_000)
    assert answer == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


def test_response_has_all_attributes_that_uvicorn_gives_it():
    """The constructor of uvicorn is not called, so a release that adds an attribute must be noticed."""
    theirs = RequestResponseCycle(**dict.fromkeys(signature(RequestResponseCycle).parameters))
    state = SimpleNamespace(default_headers=[])
    names = ("headers", "scope", "transport", "flow", "logger", "on_response_complete", "done")
    connection = SimpleNamespace(server_state=state, **dict.fromkeys(names))
    ours = ResponseCycle(connection, expects_100=False, keep_alive=True)
    assert vars(theirs).keys() - {"access_logger"} <= set(dir(ours))
