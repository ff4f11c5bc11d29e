"""Below a prefix: all URLs that leave the service begin with the path at which a proxy serves it."""

import re
from collections import deque

import httpx
import pytest

from accord.app.documents import PUBLISHED
from tests.support.operations import GETS, template_of
from tests.support.pictures import drawn
from tests.support.proxies import caddy, nginx
from tests.support.servers import Shop

LOCATION = "location /shop/ {{ proxy_pass http://service{}; proxy_set_header Host $http_host; {} }}"
SAYS = "proxy_set_header X-Forwarded-Prefix /shop;"
TRUSTED, SET = {"ACCORD_TRUSTED_PROXIES": "127.0.0.1"}, {"ACCORD_ROOT_PATH": "/shop/"}
WAYS = {
    "nginx says it": (TRUSTED, nginx, {"location": "", "server": LOCATION.format("/", SAYS)}),
    "nginx says and keeps it": (TRUSTED, nginx, {"location": "", "server": LOCATION.format("", SAYS)}),
    "nginx removes it": (SET, nginx, {"location": "", "server": LOCATION.format("/", "")}),
    "nginx keeps it": (SET, nginx, {"location": "", "server": LOCATION.format("", "")}),
    "caddy removes it": (SET, caddy, {"site": "handle_path /shop/* {\n reverse_proxy 127.0.0.1:{upstream}\n }"}),
    "caddy keeps it": (SET, caddy, {"site": "reverse_proxy /shop/* 127.0.0.1:{upstream}"}),
}


@pytest.fixture(scope="module", params=WAYS)
def shop(request, shared_server):
    """The service behind a proxy that serves it at /shop/; its base is that of the proxy."""
    settings, proxy, options = WAYS[request.param]
    shop = Shop(shared_server("sqlite", **settings))
    with proxy(shop.port, **options) as base:
        shop.base = base
        yield shop


@pytest.fixture
def client(shop):
    """A client of the host, which takes tokens of the service."""
    with httpx.Client(base_url=shop.base, headers={"Authorization": f"Bearer {shop.token}"}, timeout=30) as client:
        yield client


def links(answer):
    """All URLs of an answer to its own host: of headers, of values that are links, and of pages."""
    yield from re.findall("<(.*?)>", answer.headers.get("Link", ""))
    yield from (answer.headers[name] for name in ("Location", "Content-Location") if name in answer.headers)
    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
    if media_type.endswith("json") and "openapi" not in str(answer.url):
        yield from members(answer.json())
    if media_type == "text/html":
        yield from re.findall(r'(?:href|src|data-url|data-contract)="(/[^"]*)"', answer.text)


def members(value):
    named = ("href", "documentation", "contract", "photo_url", "url", "type", "instance")
    match value:
        case dict():
            yield from (value[name] for name in named if str(value.get(name)).startswith("/"))
            for member in value.values():
                yield from members(member)
        case list():
            for item in value:
                yield from members(item)


def test_every_link_of_every_answer_leads_somewhere_below_the_prefix(client):
    # The demo data has neither keys nor photos.
    client.post("/shop/api/v1/api-keys", json={"name": "A key", "scopes": ["tasks"]}).raise_for_status()
    customer = client.get("/shop/api/v1/customers").json()["items"][0]["_links"]["self"]["href"]
    client.put(f"{customer}/photo", files={"photo": ("picture.png", drawn(), "image/png")}).raise_for_status()
    pages = ["/shop/docs", "/shop/problems", "/shop/status", *(f"/shop{path}" for path in PUBLISHED.values())]
    waiting = deque(["/shop/", *pages, *(f"/shop{o.path}" for o in GETS if not o.names("path"))])
    seen, reached = set(), set()
    while waiting:
        target = waiting.popleft()
        assert target.startswith("/shop/"), target
        path = target.partition("?")[0].partition("#")[0].removeprefix("/shop")
        kind = template_of(path) or path
        if kind in seen:
            continue
        seen.add(kind)
        answer = client.get(target)
        assert answer.status_code < 400, f"{target}: {answer.text}"
        reached.add(template_of(path))
        waiting += links(answer)
    assert reached >= {operation.path for operation in GETS}


@pytest.mark.parametrize(
    ("target", "status"), [("/shop/nowhere", 404), ("/shop/api/v1/nowhere", 404), ("/shop/api/products?version=9", 400),
    ("/shop/api/v1/products?page=0", 400), ("/shop/docs?version=v9", 404)],
)  # fmt: skip
def test_problem_names_its_page_and_the_request(client, target, status):
    answer = client.get(target)
    problem = answer.json()
    assert (answer.status_code, problem["instance"]) == (status, target.partition("?")[0])
    assert client.get(problem["type"]).status_code == 200


def test_created_resource_is_where_location_says(client, shop):
    made = client.post("/shop/api/v1/products", content=shop.product(), headers={"Content-Type": "application/json"})
    assert made.status_code == 201
    assert made.headers["Location"].startswith("/shop/api/v1/products/")
    assert made.json()["_links"]["self"]["href"] == made.headers["Location"]
    found = client.get(made.headers["Location"])
    assert found.json() == made.json()
    changed = client.patch(made.headers["Location"], json={"stock": 3}, headers={"If-Match": found.headers["ETag"]})
    assert changed.status_code == 200


def test_browser_is_sent_to_the_documentation_below_the_prefix(client):
    """`Location` is resolved against the URL that the client used (RFC 9110, section 10.2.2)."""
    answer = client.get("/shop/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/docs")
    assert client.get(answer.headers["Location"]).status_code == 200


def test_unversioned_path_says_where_its_content_is(client):
    answer = client.get("/shop/api/tags")
    assert answer.headers["Content-Location"] == "/shop/api/v1/tags"


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_published_contract_has_the_prefix_as_its_server(client, shop, suffix):
    below, plain = (
        client.get(f"/shop/api/v1/openapi.{suffix}"),
        httpx.get(f"http://127.0.0.1:{shop.port}/api/v1/openapi.{suffix}"),
    )
    assert re.search(r'url"?: ?"?/shop"?\n|"url":"/shop"', below.text)
    assert "](/problems)" not in below.text
    assert client.get(below.url, headers={"If-None-Match": below.headers["ETag"]}).status_code == 304
    if plain.text != below.text:
        assert plain.headers["ETag"] != below.headers["ETag"]


@pytest.fixture(scope="module")
def trusting(shared_server):
    """A service that each request can tell another prefix."""
    return Shop(shared_server("sqlite", **TRUSTED))


def test_cached_answer_has_the_prefix_of_its_own_request(trusting):
    tags = set()
    for prefix in ["/a", "", "/b", "/a", "/b", ""]:
        headers = {"X-Forwarded-Prefix": prefix} if prefix else {}
        answer = httpx.get(f"{trusting.base}/api/v1/products?per_page=1", headers=headers)
        assert answer.json()["_links"]["self"]["href"].startswith(f"{prefix}/api/v1/products?")
        assert answer.headers["Link"].startswith(f"<{prefix}/api/v1/products?")
        tags.add(answer.headers["ETag"])
    assert len(tags) == 3


def test_repeated_answer_has_the_prefix_of_its_own_request(trusting):
    body = trusting.product()
    for number, prefix in enumerate(["/a", "", "/b", "/a"]):
        headers = {"Authorization": f"Bearer {trusting.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": "prefixes"} | ({"X-Forwarded-Prefix": prefix} if prefix else {})
        answer = httpx.post(f"{trusting.base}/api/v1/products", headers=headers, content=body)
        assert answer.status_code == 201
        assert answer.headers.get("Idempotency-Replayed") == (None if number == 0 else "true")
        assert answer.headers["Location"].startswith(f"{prefix}/api/v1/products/")
        assert {link["href"].partition("/api")[0] for link in answer.json()["_links"].values()} == {prefix}
        # The tag is that of these bytes (RFC 9110, section 8.8.3), so that the client can change what it created.
        headers = {name: value for name, value in headers.items() if name != "Idempotency-Key"}
        found = httpx.get(f"{trusting.base}{answer.headers['Location'].removeprefix(prefix)}", headers=headers)
        assert found.headers["ETag"].startswith(answer.headers["ETag"][:-1])


def test_header_of_a_stranger_does_not_count(shared_server):
    shop = Shop(shared_server("sqlite"))
    answer = httpx.get(f"{shop.base}/", headers={"X-Forwarded-Prefix": "/evil"})
    assert answer.json()["documentation"] == "/docs"
