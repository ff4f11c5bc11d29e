"""Odd HTTP, over a real socket."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from accord.engine.request import BodyLimits
from tests.support.engine import start

NOTE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
JSON = "Content-Type: application/json\r\n"
DONE = []


def add_note(session, body):
    DONE.append(body["text"])
    return body


@pytest.fixture(scope="module")
def port():
    content = {"application/json": {"schema": NOTE}}
    created = {"201": {"description": "It.", "content": content}}
    operation = {"operationId": "add_note", "requestBody": {"required": True, "content": content}, "responses": created}
    raw = {"paths": {"/notes": {"post": operation, "get": {"operationId": "list_notes"}}}}
    functions = {"add_note": add_note, "list_notes": lambda: ["one"]}
    engine = start(raw, functions, body_limits=BodyLimits(max_size=1000, timeout=0.5))
    config = uvicorn.Config(engine.app, port=0, log_level="critical", lifespan="off", ws="none", access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(autouse=True)
def _nothing_done():
    DONE.clear()


@pytest.fixture
def talk(port):
    """A connection: `talk(text)` sends and returns all that comes within a moment, or until *enough* has."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:

        def told(text, enough=b"\r\n\r\n", ends=1):
            connection.sendall(text.encode() if isinstance(text, str) else text)
            got = b""
            while got.count(enough) < ends:
                with contextlib.suppress(TimeoutError):
                    piece = connection.recv(65536)
                    got += piece
                    if piece:
                        continue
                break
            return got

        told.connection = connection
        yield told


def post(body, more=""):
    return f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n{more}\r\n{body}"


def test_body_is_taken(talk):
    assert talk(post('{"text": "a"}'), b"}").startswith(b"HTTP/1.1 201")
    assert DONE == ["a"]


def test_chunked_body_is_taken(talk):
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n"
    assert talk(head + '5\r\n{"tex\r\n8;x=y\r\nt": "a"}\r\n0\r\nTrailer: t\r\n\r\n', b"}").startswith(b"HTTP/1.1 201")


def test_expectation_is_met_with_100_before_the_body(talk):
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 13\r\nExpect: 100-continue\r\n\r\n"
    assert talk(head).startswith(b"HTTP/1.1 100")
    assert talk('{"text": "a"}', b"}").startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("expect", ["Expect: 100-continue\r\n", ""])
def test_announced_body_over_the_limit_is_a_413_without_reading_it(talk, expect):
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 99999999\r\n{expect}\r\n"
    assert talk(head).startswith(b"HTTP/1.1 413")


def test_body_that_grows_over_the_limit_is_a_413(talk):
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n"
    assert talk(head + "1f4\r\n" + "x" * 500 + "\r\n" + "1f4\r\n" + "x" * 500 + "\r\n" + "1\r\nx\r\n").startswith(
        b"HTTP/1.1 413"
    )


def test_connection_is_closed_where_the_rest_of_a_body_is_not_wanted(talk):
    got = talk(f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 99999999\r\n\r\n", b"never")
    assert b"connection: close" in got.lower()


def test_body_that_does_not_come_is_a_408(talk):
    got = talk(f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 13\r\n\r\n" + '{"te')
    assert got.startswith(b"HTTP/1.1 408")
    assert DONE == []


def test_body_that_drips_gains_no_time(talk):
    talk.connection.sendall(f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 900\r\n\r\n".encode())
    talk.connection.settimeout(0.05)
    got = b""
    for _ in range(900):
        talk.connection.sendall(b" ")
        with contextlib.suppress(TimeoutError):
            got = talk.connection.recv(65536)
            break
    assert got.startswith(b"HTTP/1.1 408"), "It should not have waited for the whole body."


def test_pipelined_requests_are_answered_in_their_order(talk):
    first, second = post('{"text": "a"}'), post('{"text": "b"}')
    third = "GET /notes HTTP/1.1\r\nHost: x\r\n\r\n"
    got = talk(first + second + third, b'["one"]')
    assert [got.index(piece) for piece in (b'"a"', b'"b"', b'["one"]')] == sorted(
        got.index(piece) for piece in (b'"a"', b'"b"', b'["one"]')
    )
    assert DONE == ["a", "b"]


def test_head_has_no_body_and_the_connection_goes_on(talk):
    got = talk("HEAD /notes HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"\r\n\r\n")
    assert b"content-length: 7" in got.lower()
    assert talk("GET /notes HTTP/1.1\r\nHost: x\r\n\r\n", b"]").endswith(b'["one"]')


def test_client_that_leaves_within_its_body_leaves_nothing_done(port, talk):
    with socket.create_connection(("127.0.0.1", port)) as gone:
        gone.sendall(f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 13\r\n\r\n".encode() + b'{"text": "a"')
    time.sleep(0.1)
    assert DONE == []
    assert talk("GET /notes HTTP/1.1\r\nHost: x\r\n\r\n", b"]").startswith(b"HTTP/1.1 200")


def test_request_with_two_lengths_is_refused(talk):
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert not talk(head + '{"text": "a"}').startswith(b"HTTP/1.1 2")
    assert DONE == []


@pytest.mark.parametrize("target", ["//notes", "/notes/", "/notes%00", "/%ff", "/notes%2F", "/./notes"])
def test_odd_target_is_a_404(talk, target):
    assert talk(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 404")


def test_target_with_a_host_is_its_path(talk):
    assert talk("GET http://x/notes HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 ")


def test_http_1_0_is_answered_and_closed(talk):
    assert talk("GET /notes HTTP/1.0\r\n\r\n", b"never").endswith(b'["one"]')
