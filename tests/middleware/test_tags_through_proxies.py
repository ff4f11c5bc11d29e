"""
Entity tags that a compressing proxy changed: they still guard changes, and still say what the client has.

nginx weakens a tag when it compresses (ngx_http_gzip_module), Caddy and others append the coding.
"""

import httpx
import pytest

from tests.support.proxies import caddy, nginx

GZIP = "gzip on; gzip_proxied any; gzip_types application/json; gzip_min_length 20;"
ENCODE = "encode zstd gzip {\n minimum_length 20\n }\n reverse_proxy 127.0.0.1:{upstream}"
SIZES = {"small": "Short.", "large": "It keeps for a year. " * 40}
CODINGS = ["gzip", "zstd", "gzip, deflate, br, zstd", "identity"]


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(request, shop):
    running = nginx(shop.port, http=GZIP) if request.param == "nginx" else caddy(shop.port, site=ENCODE)
    with running as base:
        yield base


@pytest.fixture
def through(proxy, shop):
    """A client that asks through the proxy, and leaves bodies as they come."""
    with httpx.Client(base_url=proxy, headers={"Authorization": f"Bearer {shop.token}"}) as client:

        def send(method, path, accept, **headers):
            body = {"PATCH": b'{"stock": 7}', "PUT": shop.product(), "DELETE": None, "GET": None}[method]
            lines = {"Accept-Encoding": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
            if body:
                lines["Content-Type"] = "application/json"
            with client.stream(method, path, content=body, headers=lines) as response:
                [*response.iter_raw()]
            return response

        yield send


@pytest.fixture(params=SIZES)
def product(request, shop):
    headers = {"Authorization": f"Bearer {shop.token}", "Content-Type": "application/json"}
    made = httpx.post(
        f"{shop.base}/api/v1/products", content=shop.product(description=SIZES[request.param]), headers=headers
    )
    return made.headers["Location"]


@pytest.mark.parametrize("accept", CODINGS)
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_change_is_guarded_by_the_tag_that_the_client_was_given(through, product, method, accept):
    tag = through("GET", product, accept).headers["ETag"]
    if method == "PATCH":
        assert through(method, product, accept, If_Match='"other"').status_code == 412
    assert through(method, product, accept, If_None_Match=tag).status_code == 412
    assert through(method, product, accept, If_Match=tag).status_code in (200, 204)
    assert through(method, product, accept, If_Match=tag).status_code == (404 if method == "DELETE" else 412)


@pytest.mark.parametrize("accept", CODINGS)
def test_what_the_client_has_is_not_sent_again(through, product, accept):
    response = through("GET", product, accept)
    assert through("GET", product, accept, If_None_Match=response.headers["ETag"]).status_code == 304
    through("PATCH", product, accept)
    assert through("GET", product, accept, If_None_Match=response.headers["ETag"]).status_code == 200


def test_proxy_compresses_what_the_service_leaves(through, shop, product):
    tags = {}
    for accept in CODINGS:
        response = through("GET", product, accept)
        tags[accept] = response.headers["ETag"], response.headers.get("Content-Encoding")
    plain, coding = tags["identity"]
    assert coding is None
    assert any(tag != plain for tag, _ in tags.values()), tags
