"""Protocols that clients offer, and versions, methods and transfer codings that the service does not have."""

import json
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.demo_data import LOGINS
from tests.support.servers import JSON
from tests.support.wire import request

LIVE = request("GET", "/health/live")
PROBLEM = "application/problem+json"
CHUNKED = "Transfer-Encoding: chunked"
H2C = [
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
]
OFFERS = {
    "h2c": H2C,
    "websocket": ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA=="],
    "nginx": ["Upgrade: websocket", "Connection: upgrade"],
    "TLS": ["Upgrade: TLS/1.0", "Connection: Upgrade"],
    "unknown": ["Connection: upgrade", "Upgrade: foo/2"],
    "several": ["Connection: keep-alive, Upgrade", "Upgrade: h2c, websocket;q=1", "Upgrade: foo/2"],
    "capitals": ["CONNECTION: UPGRADE", "UPGRADE: H2C"],
    "empty": ["Connection: Upgrade", "Upgrade:"],
    "not an option": ["Upgrade: h2c"],
    "option alone": ["Connection: Upgrade"],
}


def chunks(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
class TestOffers:
    """An offer that is not taken is no offer: the request is plain HTTP/1.1 (RFC 9110, section 7.8)."""

    @pytest.mark.parametrize("coding", ["length", "chunked"])
    @pytest.mark.parametrize("pieces", [1, 2])
    def test_body_is_read_and_the_connection_kept(self, shop, wire, offer, coding, pieces):
        for _ in range(2):
            body = shop.product()
            if coding == "length":
                head, sent = shop.create(*offer, f"Content-Length: {len(body)}"), body
            else:
                head, sent = shop.create(*offer, CHUNKED), chunks(body[:9], body[9:])
            if pieces == 1:
                wire.send(head + sent)
            else:
                wire.send(head)
                assert wire.is_silent(0.05)
                wire.send(sent)
            answer = wire.answer()
            assert (answer.status, answer.json["sku"]) == (201, json.loads(body)["sku"])
            assert answer.header("upgrade") is answer.header("connection") is None
        wire.send(LIVE)
        assert wire.answer().json == {"status": "ok"}

    def test_requests_behind_it_are_answered(self, shop, wire, offer):
        body = shop.product()
        requests = [
            request("GET", "/health/live", *offer),
            shop.create(*offer, CHUNKED) + chunks(shop.product()),
            LIVE,
            shop.create(*offer, body=body),
            request("GET", "/nowhere", *offer),
            shop.create(*offer, body=body),
        ]
        wire.send(b"".join(requests))
        assert [wire.answer().status for _ in requests] == [200, 201, 200, 201, 404, 409]

    def test_body_may_wait_for_100_continue(self, shop, wire, offer):
        """RFC 9110, section 7.8: the 100 is sent before a change of protocols, and here without one."""
        body = shop.product()
        wire.send(shop.create(*offer, "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert wire.answer().status == 100
        wire.send(body)
        assert wire.answer().status == 201

    def test_checks_are_those_of_any_request(self, shop, offer):
        exchange = shop.exchange
        assert exchange("GET", "/health/live", *offer, host=False).status == 400
        assert exchange("GET", "/health/live", *offer, "Content-Length: 1", CHUNKED).status == 400
        assert exchange("POST", "/api/v1/products", *offer, "Transfer-Encoding: gzip, chunked").status == 501
        assert exchange("GET", "/" + "x" * 8_000, *offer).status == 414
        assert exchange("GET", "/health/live", *offer, *["X: " + "x" * 60_000] * 2).status == 431
        assert exchange("GET", "/health/live", *offer, "X: " + "x" * 60_000).status == 200

    def test_http_1_0_is_closed(self, shop, wire, offer):
        """RFC 9110, section 7.8: an offer in HTTP/1.0 is ignored."""
        wire.send(b"\r\n".join([b"GET /health/live HTTP/1.0", *map(str.encode, offer), b"", b""]))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (200, True, b"")


def test_offer_may_be_cut_at_any_byte(shop):
    """On one connection, so that the rest of a request would be taken for the next one."""
    sent = shop.create(*H2C, CHUNKED) + chunks(b"{", b"}") + LIVE
    with shop.wire() as wire:
        for cut in range(1, len(sent)):
            wire.send(sent[:cut])
            wire.is_silent(0.001)
            wire.send(sent[cut:])
            assert [wire.answer().status, wire.answer().status] == [422, 200], cut


PROTOCOLS = st.sampled_from(["h2c", "websocket", "TLS/1.0", "foo/2", "HTTP/2.0", "irc/6.9", "h2c, websocket", ""])
CASES = st.sampled_from([str.lower, str.upper, str.title])


@st.composite
def offers(draw):
    """A request with or without an offer and a body, and its status."""
    space = st.sampled_from(["", " ", "\t "])
    lines = [draw(CASES)("upgrade") + ":" + draw(space) + draw(PROTOCOLS) for _ in range(draw(st.integers(0, 2)))]
    for _ in range(draw(st.integers(0, 2))):
        options = draw(st.lists(st.sampled_from(["upgrade", "keep-alive", "http2-settings", "x"]), min_size=1))
        lines.append(draw(CASES)("connection") + ": " + draw(st.sampled_from([",", ", ", " , "])).join(options))
    lines = draw(st.permutations(lines))
    body = draw(st.sampled_from([None, b"{}", b"[]" * 40_000, LIVE]))
    if body is None:
        return 200, request("GET", "/health/live", *lines)
    made = [*lines, "{authorization}", JSON]
    status = 422 if body == b"{}" else 400
    if draw(st.booleans()):
        return status, request("POST", "/api/v1/products", *made, body=body)
    cut = draw(st.integers(1, len(body) - 1))
    return status, request("POST", "/api/v1/products", *made, CHUNKED) + chunks(body[:cut], body[cut:])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(offers(), min_size=1, max_size=4), data=st.data())
def test_all_requests_of_a_connection_are_framed_right(shop, made, data):
    sent = b"".join(data for _, data in made).replace(b"{authorization}", shop.authorization.encode())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=3)))
    with shop.wire() as wire:
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            wire.send(sent[start:end])
            wire.is_silent(0.002)
        assert [wire.answer().status for _ in made] == [status for status, _ in made]
        wire.send(LIVE)
        assert wire.answer().json == {"status": "ok"}


def test_offers_write_no_warning_into_the_log(shop, wire):
    wire.send(request("GET", "/health/live", *H2C, "X-Request-Id: after-the-offer") + request("GET", "/nowhere"))
    assert [wire.answer().status, wire.answer().status] == [200, 404]
    assert not [
        line for line in shop.server.logged("/nowhere") if "upgrade" in line.lower() or "websocket" in line.lower()
    ]


@pytest.mark.parametrize("option", ["close, Upgrade", "Upgrade, close"])
def test_connection_with_an_offer_may_be_the_last_request(shop, wire, option):
    body = shop.product()
    wire.send(shop.create(f"Connection: {option}", "Upgrade: h2c", CHUNKED) + chunks(body) + LIVE)
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (201, True, b"")


@pytest.mark.parametrize(
    "sent", [b"BREW / HTTP/1.1\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 9_000]
)
def test_type_of_a_refusal_leads_to_its_explanation(shop, wire, sent):
    wire.send(sent)
    page, _, anchor = wire.answer().json["type"].partition("#")
    assert f'<h2 id="{anchor}">'.encode() in shop.exchange("GET", page).body


class TestTunnels:
    """What follows a request for a tunnel, or the preface of another protocol, is read by nobody."""

    @pytest.mark.parametrize("target", ["elsewhere.example:443", "/api/v1/products", "127.0.0.1:80"])
    @pytest.mark.parametrize("lines", [[], H2C, ["Content-Length: 4"]])
    def test_connect_is_a_400(self, wire, target, lines):
        """RFC 9110, section 9.3.6: the target is no host to which this service connects."""
        wire.send(request("CONNECT", target, *lines) + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, answer.header("content-type")) == (400, True, PROBLEM)
        assert wire.rest() == b""

    def test_preface_of_http_2_is_a_505(self, wire):
        """RFC 9113, section 3.4."""
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, answer.header("content-type"), wire.rest()) == (505, True, PROBLEM, b"")

    def test_handshake_of_tls_is_a_400(self, wire):
        wire.send(b"\x16\3\1\0\xa5\1\0\0\xa1\3\3" + bytes(range(160)))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")


class TestVersions:
    @pytest.mark.parametrize("version", ["2.0", "3.0", "0.9", "9.9", "2.1"])
    def test_other_major_version_is_a_505(self, wire, version):
        """RFC 9110, section 15.6.6."""
        wire.send(f"GET /health/live HTTP/{version}\r\nHost: x\r\n\r\n".encode() + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, answer.header("content-type"), wire.rest()) == (505, True, PROBLEM, b"")

    @pytest.mark.parametrize("version", ["1.2", "1.9"])
    def test_higher_minor_version_is_served_as_http_1_1(self, shop, wire, version):
        """RFC 9110, section 2.5."""
        body = shop.product()
        wire.send(shop.create(CHUNKED).replace(b"HTTP/1.1", f"HTTP/{version}".encode()) + chunks(body) + LIVE)
        assert wire.answer().status == 201
        assert wire.answer().json == {"status": "ok"}

    @pytest.mark.parametrize("version", ["1.2", "1.9"])
    def test_higher_minor_version_needs_a_host(self, wire, version):
        wire.send(f"GET /health/live HTTP/{version}\r\n\r\n".encode())
        assert wire.answer().status == 400

    @pytest.mark.parametrize(
        "version", ["http/1.1", "HTTP/1", "HTTP/11.1", "HTTP/1.1x", "HTTP/1,1", "HTTPS/1.1", "SIP/2.0"]
    )
    def test_version_that_is_none_is_a_400(self, wire, version):
        wire.send(f"GET /health/live {version}\r\nHost: x\r\n\r\n".encode() + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")


class TestTransferCodings:
    @pytest.mark.parametrize(
        "lines",
        [
            ["Transfer-Encoding: gzip, chunked"],
            ["Transfer-Encoding: GZIP,chunked"],
            ["Transfer-Encoding: gzip", CHUNKED],
            ["Transfer-Encoding: deflate, gzip, Chunked"],
            ["Transfer-Encoding: identity, chunked"],
            ["Transfer-Encoding: x;y=z, chunked"],
        ],
        ids=repr,
    )
    def test_unknown_coding_is_a_501(self, shop, wire, lines):
        """RFC 9112, section 6.1."""
        wire.send(shop.create(*lines) + chunks(shop.product()) + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, answer.header("content-type"), wire.rest()) == (501, True, PROBLEM, b"")

    @pytest.mark.parametrize(
        "lines", [["Transfer-Encoding: chunked, chunked"], [CHUNKED] * 2, ["Transfer-Encoding: gzip"]]
    )
    def test_body_without_an_end_is_a_400(self, shop, wire, lines):
        """RFC 9112, sections 6.1 and 6.3."""
        wire.send(shop.create(*lines) + chunks(shop.product()) + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")

    def test_http_1_0_has_no_transfer_coding(self, shop, wire):
        """RFC 9112, section 6.1: its framing is faulty."""
        wire.send(shop.create(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0") + chunks(shop.product()) + LIVE)
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")

    @pytest.mark.parametrize("coding", ["Chunked", "CHUNKED", "chunked "])
    def test_name_of_a_coding_has_no_case(self, shop, wire, coding):
        wire.send(shop.create(f"Transfer-Encoding: {coding}") + chunks(shop.product()))
        assert wire.answer().status == 201


JAVA = """
import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.*;

public class Client {
    static final HttpClient client = HttpClient.newHttpClient();

    static String send(String url, String token, BodyPublisher body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).header("Content-Type", "application/json");
        if (token != null) request.header("Authorization", "Bearer " + token);
        var made = body == null ? request.GET() : request.POST(body);
        var response = client.send(made.build(), HttpResponse.BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.version());
        return response.body();
    }

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        String login = send(base + "/auth/login", null, BodyPublishers.ofString(arguments[1]));
        String token = login.replaceAll(".*\\"access_token\\":\\"([^\\"]+)\\".*", "$1");
        send(base + "/products", token, BodyPublishers.ofString(arguments[2]));
        byte[] body = arguments[3].getBytes();
        send(base + "/products", token, BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)));
        send(base + "/products?per_page=1", token, null);
        send(base + "/products", token, BodyPublishers.ofString("{".repeat(100_000)));
    }
}
"""


@pytest.mark.skipif(not shutil.which("java"), reason="This machine has no Java.")
def test_client_of_the_java_library_needs_no_setting(shop, tmp_path):
    """By default it offers h2c with its first request to each origin."""
    program = tmp_path / "Client.java"
    program.write_text(JAVA)
    username, password = LOGINS["admin"]
    login = json.dumps({"username": username, "password": password})
    bodies = [shop.product().decode(), shop.product().decode()]
    command = ["java", "-XX:TieredStopAtLevel=1", str(program), f"{shop.base}/api/v1", login, *bodies]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{status} HTTP_1_1" for status in (200, 201, 201, 200, 400)], done.stderr
