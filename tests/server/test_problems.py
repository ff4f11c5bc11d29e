"""Problems as they are on the wire: the status line, and the request that they name (RFC 9457, section 3.1)."""

import json

import pytest

from tests.support.contract_client import is_uri_reference
from tests.support.servers import JSON
from tests.support.wire import Wire, request


@pytest.mark.parametrize(
    ("target", "instance"),
    [
        ("/api/v1/nowhere", "/api/v1/nowhere"),
        ("/nowhere?q=1", "/nowhere"),
        ("/api/v1/%6Eowhere/%20%2F%C3%A9", "/api/v1/%6Eowhere/%20%2F%C3%A9"),
        ("/api/v1/customers/%31", "/api/v1/customers/%31"),
        ("/api/%6Eowhere", "/api/v1/%6Eowhere"),
        ("/a%zz/%4", "/a%25zz/%254"),
        ('/a"b<c>{d}|e\\f^g`h[i]', "/a%22b%3Cc%3E%7Bd%7D%7Ce%5Cf%5Eg%60h%5Bi%5D"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
        ("//evil.example/x", "/.//evil.example/x"),
        ("/a/../b", "/a/../b"),
    ],
)
def test_instance_is_the_path_as_it_was_sent(shop, target, instance):
    answer = shop.exchange("GET", target, shop.authorization)
    assert answer.status in (400, 404)
    assert answer.json["instance"] == instance
    assert is_uri_reference(instance)


def test_longest_path_fits_the_contract(shop):
    answer = shop.exchange("GET", b"/" + b'"' * 7_990)
    limit = json.loads(shop.exchange("GET", "/api/v1/openapi.json").body)["components"]["schemas"]["Problem"]
    assert (answer.status, len(answer.json["instance"])) == (404, 1 + 3 * 7_990)
    assert len(answer.json["instance"]) <= limit["properties"]["instance"]["maxLength"]


def refused(status, shop):
    """A request that gets this status."""
    lines = [shop.authorization, JSON]
    return {
        400: request("GET", "/api/v1/products?page=0"),
        401: request("GET", "/api/v1/auth/me"),
        404: request("GET", "/nowhere"),
        405: request("PATCH", "/api/v1/tags"),
        406: request("GET", "/api/v1/tags", "Accept: image/png"),
        412: request("GET", "/api/v1/tags", 'If-Match: "other"'),
        413: request("POST", "/api/v1/products", *lines, "Content-Length: 2000000"),
        414: request("GET", "/" + "x" * 9_000),
        415: request("POST", "/api/v1/products", shop.authorization, "Content-Type: text/x", body=b"x"),
        422: request("POST", "/api/v1/products", *lines, body=b"{}"),
        431: request("GET", "/", "X: " + "x" * 70_000),
    }[status]


@pytest.mark.parametrize("status", [400, 401, 404, 405, 406, 412, 413, 414, 415, 422, 431])
def test_status_line_and_title_have_the_name_of_the_status(shop, status):
    """RFC 9457, section 4.2.1: the title is the name of the status; RFC 9110 has it, older Pythons others."""
    with Wire(shop.port) as wire:
        wire.tell(refused(status, shop))
        answer = wire.answer()
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.reason == answer.json["title"]
    assert answer.json["type"].rpartition("#")[2] == answer.reason.lower().replace(" ", "-")
