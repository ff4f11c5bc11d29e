"""Responses that come before the request has ended: their clients can read them (RFC 9112, section 9.6)."""

import contextlib
import http.client
import subprocess
import time

import httpx
import psutil
import pytest
import requests

from tests.support.server import PATIENCE
from tests.support.servers import JSON
from tests.support.wire import request

MIB = 1_048_576
LIVE = request("GET", "/health/live")
CHUNKED = "Transfer-Encoding: chunked"
PRODUCTS = "/api/v1/products"

REFUSED = {
    "too large": (413, ["POST", PRODUCTS, "{authorization}", JSON]),
    "no credentials": (401, ["POST", PRODUCTS, JSON]),
    "no such path": (404, ["POST", "/nowhere", JSON]),
    "not allowed": (405, ["POST", "/health/live", JSON]),
    "unknown method": (501, ["BREW", PRODUCTS, JSON]),
    "two hosts": (400, ["POST", PRODUCTS, "Host: elsewhere.example"]),
    "long target": (414, ["POST", "/" + "x" * 9_000]),
    "long headers": (431, ["POST", PRODUCTS, "X: " + "x" * 70_000]),
}


@pytest.mark.parametrize(("status", "parts"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_client_that_sends_its_whole_body_first_reads_the_response(shop, wire, status, parts, coding):
    method, target, *lines = [part.replace("{authorization}", shop.authorization) for part in parts]
    size = 8 * MIB
    length = f"Content-Length: {size}" if coding == "length" else CHUNKED
    wire.send(request(method, target, *lines, length))
    for _ in range(size // MIB):
        wire.send(b" " * MIB if coding == "length" else b"%x\r\n%s\r\n" % (MIB, b" " * MIB))
    if coding == "chunked":
        wire.send(b"0\r\n\r\n")
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (status, True, b"")


class TestClients:
    """Clients of the field, with their defaults."""

    @pytest.fixture
    def body(self):
        return b" " * (8 * MIB)

    def test_http_client(self, shop, body):
        connection = http.client.HTTPConnection("127.0.0.1", shop.port)
        with contextlib.closing(connection):
            for _ in range(3):
                connection.request("POST", PRODUCTS, body, {"Authorization": f"Bearer {shop.token}"})
                answer = connection.getresponse()
                assert (answer.status, b"1048576 bytes" in answer.read()) == (413, True)

    def test_requests(self, shop, body):
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {shop.token}"
            assert [session.post(f"{shop.base}{PRODUCTS}", body).status_code for _ in range(3)] == [413] * 3
            assert session.post(f"{shop.base}/nowhere", iter([body])).status_code == 404

    def test_httpx(self, shop, body):
        with httpx.Client(base_url=shop.base, headers={"Authorization": f"Bearer {shop.token}"}) as client:
            assert [client.post(PRODUCTS, content=body).status_code for _ in range(3)] == [413] * 3
            assert client.post("/nowhere", content=iter([body])).status_code == 404

    @pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
    def test_curl(self, shop, body, tmp_path, expect):
        file = tmp_path / "body"
        file.write_bytes(body)
        command = ["curl", "-sS", "-w", "%{http_code}", "-H", shop.authorization, "-H", expect]
        command += ["--data-binary", f"@{file}", f"{shop.base}{PRODUCTS}", "-o", "first"]
        command += [f"{shop.base}/nowhere", "-o", "second"]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("413404", "")


class TestSmallBodies:
    """The connection is kept if the rest of the body is small, and its length known."""

    @pytest.mark.parametrize("path", [PRODUCTS, "/nowhere", "/health/live"])
    def test_rest_of_a_small_body_is_read(self, wire, path):
        for _ in range(2):
            wire.send(request("POST", path, JSON, "Content-Length: 200000"))
            answer = wire.answer()
            assert answer.status in {401, 404, 405}
            assert not answer.closes
            wire.send(b" " * 200_000 + LIVE)
            assert wire.answer().json == {"status": "ok"}

    @pytest.mark.parametrize("line", ["Content-Length: 300000", f"Content-Length: {10**18}", CHUNKED])
    def test_connection_is_not_kept_for_a_large_body(self, wire, line):
        wire.send(request("POST", "/nowhere", JSON, line))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (404, True, b"")

    def test_response_is_sent_whole(self, shop, wire):
        expected = shop.exchange("GET", "/api/v1/openapi.json").body
        assert len(expected) > 100_000
        wire.send(request("GET", "/api/v1/openapi.json", "Content-Length: 300000"))
        answer = wire.answer()
        assert (answer.body, answer.closes, wire.rest()) == (expected, True, b"")

    def test_rest_of_a_small_body_has_as_long_as_headers(self, impatient):
        with impatient.wire() as wire:
            wire.send(request("POST", "/nowhere", JSON, "Content-Length: 200000"))
            answer = wire.answer()
            assert (answer.status, answer.closes, wire.rest()) == (404, False, b"")


def test_responses_before_a_broken_request_are_read(wire):
    wire.send(LIVE * 3 + b"nonsense\r\n\r\n")
    for _ in range(8):
        wire.send(b" " * MIB)
    assert [wire.answer().status for _ in range(3)] == [200] * 3
    assert wire.rest() == b""


def test_broken_chunk_in_the_middle_has_one_answer_and_no_traceback(shop, wire):
    assert shop.exchange("GET", "/before-the-broken-chunk").status == 404
    earlier = shop.server.logged("/before-the-broken-chunk")
    wire.send(shop.create(CHUNKED) + b"10000\r\n" + b" " * 65_536)
    assert wire.is_silent(0.05)
    wire.send(b"\r\nzz\r\n" + b" " * MIB)
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")
    assert shop.exchange("GET", "/after-the-broken-chunk").status == 404
    lines = shop.server.logged("/after-the-broken-chunk")[len(earlier) :]
    assert not [line for line in lines if "Traceback" in line]


class TestLimits:
    """What reading and dropping costs is bounded, so that a flood gains nothing."""

    def refuse(self, wire):
        """Get a refusal, after which the server reads and drops."""
        wire.send(request("POST", "/nowhere", JSON, f"Content-Length: {10**18}"))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (404, True, b"")

    def is_cut(self, wire, *, attempts, piece=b"x", pause=0.01):
        """Whether the server resets the connection while pieces are sent."""
        try:
            for _ in range(attempts):
                wire.send(piece)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    def test_size(self, shop, wire):
        self.refuse(wire)
        assert not self.is_cut(wire, attempts=60, piece=b" " * MIB, pause=0)
        assert self.is_cut(wire, attempts=60, piece=b" " * MIB, pause=0)
        assert shop.is_alive()

    def test_time(self, impatient):
        with impatient.wire() as wire:
            self.refuse(wire)
            assert not self.is_cut(wire, attempts=2)
            assert self.is_cut(wire, attempts=1_000)

    def test_number_of_connections(self, start):
        shop = start("sqlite", ACCORD_BODY_TIMEOUT="3600")
        process = psutil.Process(shop.server.process.pid)
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(shop.wire()) for _ in range(110)]
            for wire in wires:
                self.refuse(wire)
            assert [self.is_cut(wire, attempts=2) for wire in wires] == [False] * 100 + [True] * 10
            assert shop.is_alive()
        with shop.wire() as wire:
            while sum(each.status == "FIN_WAIT2" for each in process.net_connections()):
                time.sleep(0.02)
            self.refuse(wire)
            assert not self.is_cut(wire, attempts=2)

    def test_end_of_the_service(self, start):
        shop = start("sqlite", ACCORD_BODY_TIMEOUT="3600")
        with shop.wire() as lingering, shop.wire() as broken, shop.wire() as idle, shop.wire() as new:
            self.refuse(lingering)
            broken.send(shop.create(CHUNKED) + b"4\r\n    ")
            assert broken.is_silent(0.1)
            broken.send(b"zz\r\n")
            assert broken.answer().status == 400
            idle.send(LIVE)
            assert idle.answer().status == 200
            shop.server.process.terminate()
            assert shop.server.process.wait(PATIENCE) in {0, -15}
            assert new.rest() == idle.rest() == b""
