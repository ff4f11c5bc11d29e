"""What a proxy says about the path of a request, and what the application makes of it."""

import asyncio
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from accord.middleware.forwarded import ForwardedMiddleware, parse_root_path
from accord.settings import Settings

PROXY, CLIENT = "10.0.0.1", "192.0.2.1"


@pytest.fixture
def see():
    """What the application sees of a request."""

    def see(target="/docs", *prefixes, client=PROXY, root_path="", server_root="", others=()):
        scopes = []

        async def app(scope, receive, send):
            scopes.append(scope)

        middleware = ForwardedMiddleware(
            app, trusted_proxies="10.0.0.0/8", root_path=root_path, is_own_segment={"api", "docs"}.__contains__
        )
        scope = {
            "type": "http", "method": "GET", "path": unquote(target), "raw_path": target.encode(), "scheme": "http",
            "root_path": server_root, "client": (client, 1234),
            "headers": [*((b"x-forwarded-prefix", each.encode("latin-1")) for each in prefixes), *others],
        }  # fmt: skip
        asyncio.run(middleware(scope, None, None))
        (scope,) = scopes
        return scope["root_path"], scope["path"], scope["raw_path"].decode()

    return see


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/docs", "/docs"),
        ("/shop/docs", "/docs"),
        ("/shop", "/"),
        ("/shop/", "/"),
        ("/shopping", "/shopping"),
        ("/shop//docs", "//docs"),
        ("/sh%6Fp/a%2Fb%20c", "/a%2Fb%20c"),
        ("/shop%2Fdocs", "/shop%2Fdocs"),
    ],
)
@pytest.mark.parametrize("options", [{"root_path": "/shop"}, {"root_path": "/shop/"}, {"server_root": "/shop"}])
def test_prefix_may_be_in_the_target_or_not(see, target, path, options):
    root_path, _, raw = see(target, **options)
    assert (root_path, raw) == ("/shop", path)


def test_prefix_is_removed_once(see):
    assert see("/shop/shop/docs", root_path="/shop")[1] == "/shop/docs"
    # A server that has a root path adds it to each target (ASGI), also to one that has it already.
    assert see("/shop/shop/docs", server_root="/shop")[1] == "/docs"


def test_target_is_decoded_but_once(see):
    assert see("/shop/a%2Fb%2520", root_path="/shop")[1:] == ("/a/b%20", "/a%2Fb%2520")


@pytest.mark.parametrize(
    ("prefixes", "root_path"),
    [
        (["/shop"], "/shop"),
        (["/shop/"], "/shop"),
        (["/outer", "/inner"], "/outer/inner"),
        (["/outer, /inner"], "/outer/inner"),
        (["/a/b.c/d_e~f-g"], "/a/b.c/d_e~f-g"),
        (["/"], ""),
    ],
)
def test_prefix_of_trusted_hops_counts(see, prefixes, root_path):
    assert see("/docs", *prefixes) == (root_path, "/docs", "/docs")


@pytest.mark.parametrize(
    "prefix",
    ["", "shop", "//evil.example", "/shop//x", "/..", "/shop/../x", "/.", "/a b", "/a\r\nx: y", "/a\tb", "http://evil.example",
     "/%2e%2e", "/caf\xe9", "/a?b", "/a#b", "/a;b", '/"><script>', "/{x}", "\\\\evil", "/" + "x" * 100, "/ok, //evil"],
)  # fmt: skip
def test_what_is_not_a_path_is_ignored_whole(see, prefix):
    assert see("/docs", prefix) == ("", "/docs", "/docs")
    assert see("/docs", "/shop", prefix) == ("", "/docs", "/docs")


def test_prefix_of_a_stranger_is_ignored(see):
    assert see("/docs", "/evil", client=CLIENT) == ("", "/docs", "/docs")


def test_address_behind_the_proxy_does_not_make_it_a_stranger(see):
    forwarded = [(b"x-forwarded-for", CLIENT.encode())]
    assert see("/docs", "/shop", others=forwarded) == ("/shop", "/docs", "/docs")


def test_setting_wins_over_the_header(see):
    assert see("/docs", "/evil", root_path="/shop")[0] == "/shop"
    assert see("/docs", "/evil", root_path="/")[0] == ""


def test_prefix_like_a_path_of_the_service_is_never_taken_for_it(see):
    """Of `/api/v1` the proxy at `/api/` has removed its prefix, or else its public path would be `/api/api/v1`."""
    assert see("/api/v1/tags", root_path="/api") == ("/api", "/api/v1/tags", "/api/v1/tags")


@pytest.mark.parametrize(
    "root_path", ["shop", "/..", "/shop/../docs", "/./shop", "/a b", "//host", "/shop?x", "/%2F", "/" + "x" * 100]
)
def test_setting_that_is_no_root_path_is_refused(root_path):
    assert parse_root_path(root_path) is None
    with pytest.raises(ValidationError, match="root_path"):
        Settings(_env_file=None, root_path=root_path)


@pytest.mark.parametrize("root_path", ["/", "/shop", "/shop/", "/~meera/shop-2.0/a_b"])
def test_setting_is_a_root_path(root_path):
    assert parse_root_path(Settings(_env_file=None, root_path=root_path).root_path) == root_path.rstrip("/")
