"""The service behind real proxies, which are configured as docs/deployment.md says."""

import json
import re
from uuid import uuid4

import httpx
import pytest

from services.demo_data import LOGINS
from tests.support.pictures import png
from tests.support.proxies import NGINX_LOCATION, caddy, nginx
from tests.support.server import ROOT

MIB = 1_048_576
CLIENT = "127.0.0.2"
"""The address of the client, which is not that of the proxy."""

GUIDE = ROOT.joinpath("docs", "deployment.md").read_text("utf-8")
BLOCKS = dict(reversed(re.findall(r"^```(nginx|caddyfile)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)))
"""The first block of each language. Later ones are parts of a configuration."""


def nginx_of_the_guide(port):
    location = re.search(r"location / {(.*?)}", BLOCKS["nginx"], re.DOTALL).group(1)
    return nginx(port, location=location.replace("http://accord", "http://service"))


def caddy_of_the_guide(port):
    site = re.search(r"{(.*)}", BLOCKS["caddyfile"], re.DOTALL).group(1)
    return caddy(port, site=site.replace("127.0.0.1:8080", "127.0.0.1:{upstream}"))


def nginx_with_websocket(port):
    """As many guides for other services have it."""
    return nginx(port, location=NGINX_LOCATION)


def login():
    username, password = LOGINS["admin"]
    return {"username": username, "password": password}


@pytest.fixture(scope="module", params=[nginx_of_the_guide, nginx_with_websocket, caddy_of_the_guide])
def proxied(request, start):
    """A service, and a client of the proxy in front of it."""
    shop = start("sqlite", ACCORD_TRUSTED_PROXIES="127.0.0.1")
    transport = httpx.HTTPTransport(local_address=CLIENT)
    with request.param(shop.port) as base, httpx.Client(base_url=base, transport=transport) as client:
        token = client.post("/api/v1/auth/login", json=login()).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield shop, client


@pytest.fixture
def client(proxied):
    return proxied[1]


def test_tag_of_a_response_is_good_for_a_change(client):
    page = client.get("/api/v1/products?per_page=100")
    assert (page.status_code, page.headers["Content-Encoding"]) == (200, "br")
    again = client.get("/api/v1/products?per_page=100", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    path = page.json()["items"][0]["_links"]["self"]["href"]
    got = client.get(path)
    change = {"price": "11.50"}
    assert client.patch(path, json=change, headers={"If-Match": got.headers["ETag"]}).status_code == 200
    assert client.patch(path, json=change, headers={"If-Match": '"another"'}).status_code == 412


def test_largest_file_is_taken(client):
    file = png(8, 8, bytes(8 * 8 * 3 + 8), padding=10 * MIB - 1_000)
    assert client.post("/api/v1/files", files={"file": ("a.png", file, "image/png")}).status_code == 201


@pytest.mark.parametrize("coding", ["length", "chunked"])
@pytest.mark.parametrize(("status", "path"), [(413, "/api/v1/products"), (404, "/nowhere")])
def test_refusal_of_a_large_body_is_read(client, status, path, coding):
    pieces = [b" " * MIB] * 20
    content = b"".join(pieces) if coding == "length" else iter(pieces)
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "foo/2"])
def test_offer_of_another_protocol_does_not_lose_the_body(client, protocol):
    headers = {"Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABk", "Upgrade": protocol}
    for _ in range(3):
        assert client.post("/api/v1/auth/login", json=login(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "forged",
    [{"X-Forwarded-For": "192.0.2.7"}, {"X-Forwarded-For": "192.0.2.7, 127.0.0.1"}, {"Forwarded": "for=192.0.2.7"}],
    ids=str,
)
def test_client_does_not_choose_its_address(proxied, forged):
    shop, client = proxied
    path = f"/nowhere/{uuid4().hex}"
    answer = client.get(path, headers={"X-Forwarded-Proto": "https", **forged})
    assert (answer.status_code, answer.headers.get("Strict-Transport-Security")) == (404, None)
    assert json.loads(shop.server.logged(path)[-1])["client_ip"] == CLIENT


@pytest.mark.parametrize("path", ["/api/v1/products%2Fx", "/api/v1/%2e%2e/v1/products", "/api/v1//products"])
def test_path_arrives_as_it_was_sent(client, path):
    """Decoded, resolved or merged, it would be the path of a list or of a product."""
    assert client.get(path).status_code == 404


def test_method_that_is_unknown_arrives(client):
    answer = client.request("BREW", "/api/v1/products")
    assert (answer.status_code, answer.headers["Content-Type"]) == (501, "application/problem+json")
