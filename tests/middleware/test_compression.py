"""Compressed bodies, and the entity tags that tell them from others."""

import gzip

import brotli
import pytest

from accord.middleware.compression import MINIMUM_SIZE, acceptable_codings
from tests.support.contract_client import OF_ITS_REQUEST
from tests.support.pictures import drawn
from tests.support.servers import JSON

DECOMPRESS = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
LIST = "/api/v1/products?per_page=5"
TEXTS = [LIST, "/api/v1/openapi.json", "/api/v1/openapi.yaml", "/docs/swagger-ui/js/swagger-ui-bundle.js", "/problems"]


def accept(coding):
    return f"Accept-Encoding: {coding}"


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_long_text_is_compressed_for_who_takes_it(shop, path, coding):
    plain, answer = shop.exchange("GET", path), shop.exchange("GET", path, accept(coding))
    assert (answer.header("content-encoding"), plain.header("content-encoding")) == (coding, None)
    assert DECOMPRESS[coding](answer.body) == plain.body
    assert len(answer.body) < len(plain.body)
    assert "Accept-Encoding" in answer.header("vary")
    assert answer.header("vary") == plain.header("vary")


@pytest.mark.parametrize("path", ["/health/live", "/", f"{LIST}&sort=nonsense"])
def test_short_text_stays_as_it_is(shop, path):
    answer = shop.exchange("GET", path, accept("br"))
    assert len(answer.body) < MINIMUM_SIZE
    assert answer.header("content-encoding") is None


@pytest.mark.parametrize("media_type", ["application/xml", "text/csv"])
def test_other_media_types_are_compressed_as_well(shop, media_type):
    answer = shop.exchange("GET", LIST, accept("gzip"), f"Accept: {media_type}")
    assert answer.header("content-encoding") == "gzip"
    assert answer.header("etag").endswith(f'-{media_type.partition("/")[2]}-gzip"')


def test_long_problem_is_compressed(shop):
    answer = shop.exchange("GET", "/api/v1/products?" + "&".join(f"a{n}=1" for n in range(50)), accept("br"))
    assert (answer.status, answer.header("content-encoding")) == (400, "br")


def test_tokens_are_never_compressed(shop):
    body = b'{"username": "customer", "password": "customer-demo-password"}'
    answer = shop.exchange("POST", "/api/v1/auth/login", JSON, accept("br, gzip"), body=body)
    assert len(answer.json["access_token"]) > MINIMUM_SIZE / 2
    assert len(answer.body) > MINIMUM_SIZE
    assert (answer.header("content-encoding"), answer.header("vary")) == (None, None)


def test_picture_is_not_compressed_again(shop):
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        + drawn(size=(400, 400))
        + b"\r\n--x--\r\n"
    )
    kind = "Content-Type: multipart/form-data; boundary=x"
    made = shop.exchange("POST", "/api/v1/files", shop.authorization, kind, body=form)
    path = made.header("location") + "/content"
    for lines in ([], ["Range: bytes=0-599"]):
        answer = shop.exchange("GET", path, shop.authorization, accept("br"), *lines)
        assert answer.status == (206 if lines else 200)
        assert (answer.header("content-encoding"), answer.header("vary")) == (None, None)


@pytest.mark.parametrize("path", [LIST, "/api/v1/openapi.json", "/docs"])
def test_head_says_what_get_says_but_for_the_length(shop, path):
    got, head = (shop.exchange(method, path, accept("br")) for method in ("GET", "HEAD"))
    varying = OF_ITS_REQUEST | {"content-length", "transfer-encoding"}
    assert [h for h in head.headers if h[0] not in varying] == [h for h in got.headers if h[0] not in varying]
    assert head.header("content-length") is None


class TestTags:
    """A tag is of one representation, and an answer in another coding is another one (RFC 9110, section 8.8.3.3)."""

    @pytest.mark.parametrize("path", [LIST, "/api/v1/openapi.json", "/portal/docs.css"])
    def test_each_coding_has_its_own_tag(self, shop, path):
        plain, brotlied, gzipped = (
            shop.exchange("GET", path, accept(coding)).header("etag") for coding in ("identity", "br", "gzip")
        )
        assert (brotlied, gzipped) == (f'{plain[:-1]}-br"', f'{plain[:-1]}-gzip"')

    @pytest.mark.parametrize("path", [LIST, "/api/v1/openapi.json", "/portal/docs.css"])
    @pytest.mark.parametrize("known", ["{}", 'W/"other", {}', "W/{}"])
    @pytest.mark.parametrize("coding", ["br", "gzip"])
    def test_what_the_caller_has_is_not_sent_again(self, shop, path, known, coding):
        tag = shop.exchange("GET", path, accept(coding)).header("etag")
        answer = shop.exchange("GET", path, accept(coding), f"If-None-Match: {known.format(tag)}")
        assert (answer.status, answer.header("etag"), answer.body) == (304, tag, b"")
        assert (answer.header("content-encoding"), "Accept-Encoding" in answer.header("vary")) == (None, True)

    def test_coding_that_the_caller_does_not_take_is_not_what_it_has(self, shop):
        tag = shop.exchange("GET", LIST, accept("br")).header("etag")
        for coding in ("gzip", "identity"):
            assert shop.exchange("GET", LIST, accept(coding), f"If-None-Match: {tag}").status == 200

    def test_of_what_a_cache_holds_the_best_is_named(self, shop):
        tags = [shop.exchange("GET", LIST, accept(coding)).header("etag") for coding in ("identity", "gzip", "br")]
        answer = shop.exchange("GET", LIST, accept("gzip, br"), f"If-None-Match: {', '.join(tags)}")
        assert (answer.status, answer.header("etag")) == (304, tags[2])

    def test_change_is_guarded_by_the_tag_of_any_coding(self, shop):
        body = shop.product(description="It keeps for a year. " * 40)
        path = shop.exchange("POST", "/api/v1/products", shop.authorization, JSON, body=body).header("location")
        for number, coding in enumerate(["br", "gzip", "identity"]):
            tag = shop.exchange("GET", path, accept(coding)).header("etag")
            lines = [shop.authorization, JSON, f"If-Match: {tag}"]
            statuses = [shop.exchange("PATCH", path, *lines, body=b'{"stock": %d}' % (number + 7)).status for _ in "ab"]
            assert statuses == [200, 412]


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        (b"gzip, deflate, br, zstd", [b"br", b"gzip"]),
        (b"gzip", [b"gzip"]),
        (b"GZIP;q=0.5,br;q=0.4", [b"gzip", b"br"]),
        (b"br;q=0, gzip", [b"gzip"]),
        (b"br;q=0.000,gzip;q=0", []),
        (b"*", [b"br", b"gzip"]),
        (b"*;q=0", []),
        (b"br;q=0, *", [b"gzip"]),
        (b"identity, gzip;q=0.5", []),
        (b"identity;q=0, gzip;q=0.5", [b"gzip"]),
        (b"deflate", []),
        (b"", []),
        (b"br;q=x", []),
        (b"\xff, ;;, ,", []),
        (b"gzip," * 1000, []),
    ],
)
def test_coding_is_the_one_that_the_caller_likes_best(header, codings):
    assert acceptable_codings(header) == tuple(codings)
