"""
Where a request ends.

Bodies in chunks, bodies too large or too slow, and requests that two servers would cut apart differently (RFC 9112,
section 11.2).
"""

import time

import pytest

from tests.support.servers import JSON
from tests.support.wire import request

CHUNKED = "Transfer-Encoding: chunked"
LIMIT = 1_048_576


def chunks(*parts, trailers=b""):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailers + b"\r\n"


class TestChunks:
    def test_body_may_come_in_chunks(self, shop, wire):
        body = shop.product()
        wire.send(shop.create(CHUNKED) + chunks(body[:7], body[7:8], body[8:]))
        assert wire.answer().status == 201

    def test_extensions_of_chunks_mean_nothing(self, shop, wire):
        body = shop.product()
        wire.send(shop.create(CHUNKED) + b'%x;name="value"\r\n%s\r\n0\r\n\r\n' % (len(body), body))
        assert wire.answer().status == 201

    def test_trailers_are_no_headers(self, shop, wire):
        body = shop.product()
        trailers = b"Authorization: Bearer x\r\nContent-Type: text/plain\r\nIdempotency-Key: short\r\n"
        wire.send(shop.create(CHUNKED) + chunks(body, trailers=trailers))
        assert wire.answer().status == 201

    @pytest.mark.parametrize(
        "header",
        [
            "Accept: application/json",
            "Accept: application/vnd.accord.v1+json",
            'If-None-Match: "x"',
            'If-Match: "x-gzip"',
            "Accept-Encoding: br",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ],
    )
    def test_credentials_in_a_trailer_let_nobody_in(self, shop, wire, header):
        """Also where a header makes the middleware copy the header section."""
        wire.send(
            request("POST", "/api/v1/products", JSON, CHUNKED, header)
            + chunks(shop.product(), trailers=shop.authorization.encode() + b"\r\n")
        )
        assert wire.answer().status == 401

    @pytest.mark.parametrize(
        "broken",
        [
            b"zz\r\n{}\r\n0\r\n\r\n",
            b"-2\r\n{}\r\n0\r\n\r\n",
            b"0x2\r\n{}\r\n0\r\n\r\n",
            b"1\r\n{}\r\n0\r\n\r\n",
            b"2\n{}\n0\n\n",
            b"\r\n{}\r\n0\r\n\r\n",
            b"2 \r\n{}\r\n0\r\n\r\n",
            b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
            b"00000000000000000000000000000002\r\n{}0\r\n\r\n",
        ],
        ids=repr,
    )
    def test_broken_chunks_are_refused_and_the_connection_closed(self, shop, wire, broken):
        wire.tell(shop.create(CHUNKED) + broken)
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")

    def test_chunks_that_add_up_to_too_much_are_refused_when_they_do(self, shop, wire):
        wire.tell(shop.create(CHUNKED) + b"".join(b"10000\r\n%s\r\n" % (b" " * 65_536) for _ in range(17)))
        answer = wire.answer()
        assert (answer.status, answer.closes) == (413, True)


class TestSize:
    @pytest.mark.parametrize("length", [LIMIT + 1, 10**18])
    def test_length_over_the_limit_is_refused_without_waiting_for_the_body(self, shop, wire, length):
        wire.send(shop.create(f"Content-Length: {length}"))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (413, True, b"")

    def test_body_over_the_limit_is_refused_while_it_is_sent(self, shop, wire):
        wire.tell(shop.create(body=b" " * (4 * LIMIT)))
        answer = wire.answer()
        assert (answer.status, answer.closes) == (413, True)

    def test_body_of_just_the_limit_is_read(self, shop, wire):
        body = shop.product()
        wire.send(shop.create(body=body + b" " * (LIMIT - len(body))))
        assert wire.answer().status == 201


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", CHUNKED],
        [CHUNKED, "Content-Length: 4"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 4", "Content-Length: 4"],
        ["Content-Length: 4, 4"],
        ["Content-Length: -1"],
        ["Content-Length: +4"],
        ["Content-Length: 0x4"],
        ["Content-Length: 4 4"],
        ["Content-Length: \xb2"],
        ["Content-Length:"],
        ["Content-Length: 99999999999999999999999999"],
        ["Content-Length : 4"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: \x0bchunked"],
        [" Transfer-Encoding: chunked"],
        ["X: y\nTransfer-Encoding: chunked"],
        ["X: y\rTransfer-Encoding: chunked"],
    ],
    ids=repr,
)
def test_body_of_doubtful_length_is_refused_and_the_connection_closed(shop, wire, lines):
    wire.tell(shop.create(*lines) + b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = wire.answer()
    assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")


class TestTime:
    """A service whose operator gives a body one second."""

    @pytest.mark.parametrize("line", ["Content-Length: 100", CHUNKED])
    def test_body_that_does_not_come_in_time_is_a_408_and_the_connection_closed(self, impatient, line):
        started = time.monotonic()
        with impatient.wire() as wire:
            wire.send(impatient.create(line))
            drips = 0
            while wire.is_silent(0.1):
                wire.tell(b" " if line != CHUNKED else b"1\r\n \r\n")
                drips += 1
                assert drips < 50
            answer = wire.answer()
            assert (answer.status, answer.closes, wire.rest()) == (408, True, b"")
        assert time.monotonic() - started > 0.9

    def test_body_that_comes_slowly_but_in_time_is_taken(self, impatient):
        body = impatient.product()
        with impatient.wire() as wire:
            wire.send(impatient.create(f"Content-Length: {len(body)}"))
            for start in range(0, len(body), 40):
                assert wire.is_silent(0.05)
                wire.send(body[start : start + 40])
            assert wire.answer().status == 201
