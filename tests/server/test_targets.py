"""Request lines and headers that no decent client sends."""

from contextlib import suppress

import pytest
from httptools import HttpParserError, HttpRequestParser, parse_url
from hypothesis import given, strategies

from accord.server.protocol import split_target
from tests.support.contract_client import OF_ITS_REQUEST
from tests.support.servers import JSON
from tests.support.wire import request

PROBLEM = "application/problem+json"
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            "/api/v1/products%2F" + ID,
            "/api/v1%2fproducts",
            "/api/v1/products/%00",
            f"/api/v1/products/{ID}%00",
            "/health/live%00",
            "/api/v1/%2e%2e/v1/products",
            "/api/v1/products/../products",
            "/docs/%2e%2e/%2e%2e/main.py",
            "/docs/../main.py",
            "/docs/..%2f..%2fmain.py",
            "/docs/..%5c..%5cmain.py",
            "/%c0%ae%c0%ae/main.py",
            "/\\..\\main.py",
            "/api/v1/products/%ff",
            "/api/v1/products/%c0%af",
            "/api/v1/products/%ed%a0%80",
            "/api/v1/products/%f4%90%80%80",
            "/%ff",
            "/docs/%ff",
            "/docs/%00",
            "/docs//swagger-ui/index.html",
            "/portal//docs.js",
            "/static//x",
            "//api/v1/products",
            "/api/v1//products",
            "/api/v1/products/",
            "/api/v1/products;v=1",
            "/api/v1/products%20",
            "/api/v1/products%0d%0aX:%20y",
            "/API/v1/products",
            "/api/v1/openapi.json/",
            "/" + "/" * 7_000,
            "/" + "%41" * 2_000,
            "/api/v1/products" + "/x" * 3_000,
            "*",
        ],
        ids=lambda target: target[:40],
    )
    def test_there_is_nothing_at_odd_paths(self, shop, target):
        answer = shop.exchange("GET", target)
        assert (answer.status, answer.header("content-type")) == (404, PROBLEM)

    @pytest.mark.parametrize("value", ["%", "%zz", "%2", "..", "%2e%2e", ID + ";v=1", ID + "%3Bv=1", "x" * 7_000])
    def test_odd_identifier_is_refused_as_one(self, shop, value):
        answer = shop.exchange("GET", f"/api/v1/products/{value}")
        assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "product_id")

    def test_target_has_at_most_8000_bytes(self, shop):
        target = "/api/v1/products?q=".ljust(8_000, "x")
        assert shop.exchange("GET", target).status == 400
        answer = shop.exchange("GET", target + "x")
        assert (answer.status, answer.closes, answer.header("content-type")) == (414, True, PROBLEM)

    @pytest.mark.parametrize("target", ["/%61pi/v1/products", "/api/v1/pr%6Fducts", "/api/v1/openapi%2ejson"])
    def test_letters_may_be_encoded(self, shop, target):
        assert shop.exchange("GET", target).status == 200

    @pytest.mark.parametrize("host", ["http://127.0.0.1", "http://elsewhere.example", "https://elsewhere.example:443"])
    def test_target_may_be_a_whole_url(self, shop, host):
        assert shop.exchange("GET", f"{host}/api/v1/products?per_page=1").json["per_page"] == 1
        assert shop.exchange("GET", f"{host}/nowhere").status == 404

    @pytest.mark.parametrize(
        "target", ["elsewhere.example:443", "health/live", "", "/health/live\x7f", b"/health/\xc3", b"/?q=\xc3"]
    )
    def test_target_that_is_none_is_refused(self, shop, target):
        answer = shop.exchange("GET", target)
        assert (answer.status, answer.header("content-type")) == (400, PROBLEM)

    @pytest.mark.parametrize(
        "query",
        [
            "%", "%zz", "%ff", "page=%00", "page=+1", "page=%20", "page=%EF%BC%91", "page=1&page=1", "page=", "page",
            "=1",
            "page=1;per_page=2", "page=1%26per_page=2", "page[]=1", "page=0x1", "page=1e1", "page=1_0", "page=-1",
            "page=1.0", "page=99999999999999999999", "page=" + "9" * 5_000, "q=%00", "q=%ED%A0%80", "q=" + "x" * 7_000,
            "tag=", "tag=" + "&tag=".join("abcdefghijk"), "sort=-price,name", "sort=;drop%20table", "sort=-",
            "min_price=NaN",
            "min_price=1e5", "min_price=-1", "min_price=0.001", "min_price=1,50", "min_price=.5", "min_price=1.",
            "min_price=007",
            "in_stock=TRUE",
            "in_stock=1",
            "cursor=x", "cursor=" + "A" * 5_000, "cursor=%00", "cursor=**", "fields=", "fields=id,", "fields=id,id",
            "PAGE=1", "page%3D1", "+page=1", "&".join(["a=1"] * 1_900), "category=" + ID.replace("-", ""),
        ],
        ids=lambda query: query[:30],
    )  # fmt: skip
    def test_odd_query_is_refused(self, shop, query):
        answer = shop.exchange("GET", f"/api/v1/products?{query}")
        assert (answer.status, answer.header("content-type")) == (400, PROBLEM), answer.body[:300]

    @pytest.mark.parametrize(
        "query",
        ["", "&&&", "page=%31", "%70age=1", "q=%25_%5C", "q='%20or%201=1--", "q=%F0%9F%A7%88", "tag=a,b", "cursor=*"],
    )
    def test_query_that_only_looks_odd_is_taken(self, shop, query):
        assert shop.exchange("GET", f"/api/v1/products?{query}").status == 200


class TestMethods:
    @pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PURGE", "DELETE", "PATCH", "QUERY"])
    @pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/openapi.json"])
    def test_method_that_a_path_does_not_have_is_a_405_with_allow(self, shop, method, path):
        answer = shop.exchange(method, path)
        if method == "CONNECT":
            assert (answer.status, answer.closes) == (400, True)
            return
        assert (answer.status, answer.header("content-type")) == (405, PROBLEM)
        assert method not in answer.header("allow")
        assert "GET, HEAD, OPTIONS" in answer.header("allow")

    @pytest.mark.parametrize("path", ["/docs", "/problems"])
    def test_method_that_a_page_does_not_have_is_a_405_with_allow(self, shop, path):
        answer = shop.exchange("POST", path, body=b"")
        assert answer.status == 405
        assert answer.header("allow") is not None
        assert answer.json["request_id"]

    @pytest.mark.parametrize(
        "method", ["get", "Get", "BREW", "GETT", "G", "PO", "M-SEARCHER", "!#$%&'*+.^_`|~0a", "G" * 3_000]
    )
    def test_unknown_method_is_a_501(self, shop, method):
        """RFC 9110, section 9.1, for methods of every length (RFC 9112, section 3)."""
        answer = shop.exchange(method, "/api/v1/products")
        assert (answer.status, answer.closes, answer.header("content-type")) == (501, True, PROBLEM)

    @pytest.mark.parametrize("method", ["GET\x01", "", "G(T", "\x16\x03\x01", "GET\t", '"GET"', "G\xc9T"])
    def test_method_that_is_no_token_is_refused(self, shop, method):
        answer = shop.exchange(method, "/api/v1/products")
        assert (answer.status, answer.closes, answer.header("content-type")) == (400, True, PROBLEM)

    @pytest.mark.parametrize(
        "path",
        ["/", "/health/live", "/api/v1/products?per_page=2", "/api/v1/products/x", "/api/v1/auth/me", "/nowhere",
        "/docs",
         "/api/v1/openapi.json", "/api/v1/openapi.yaml", "/problems"],
    )  # fmt: skip
    def test_head_says_what_get_says_without_the_body(self, shop, wire, path):
        got = shop.exchange("GET", path)
        wire.send(request("HEAD", path) + request("GET", "/health/live"))
        head = wire.answer(method=b"HEAD")
        varying = OF_ITS_REQUEST | ({"content-length"} if got.status >= 400 else set())
        assert head.status == got.status
        assert [h for h in head.headers if h[0] not in varying] == [h for h in got.headers if h[0] not in varying]
        # Had there been a body, it would stand where the next answer is looked for.
        assert wire.answer().json == {"status": "ok"}


class TestHeaders:
    @pytest.mark.parametrize(
        "line",
        ["garbage", "X: a\0b", "X: a\nInjected: b", "X: a\rInjected: b", "X: a\r\n folded", "X Y: b", "X\0: b", ": b",
         "X\x80: b"],
        ids=repr,
    )  # fmt: skip
    def test_broken_header_is_refused_and_the_connection_closed(self, wire, line):
        wire.tell(request("GET", "/health/live", line) + request("GET", "/health/live"))
        answer = wire.answer()
        assert (answer.status, answer.closes, wire.rest()) == (400, True, b"")

    @pytest.mark.parametrize("lines", [["X: " + "x" * 50_000], ["X: 1"] * 5_000], ids=["long", "many"])
    def test_many_and_long_headers_are_taken(self, shop, lines):
        assert shop.exchange("GET", "/health/live", *lines).status == 200

    @pytest.mark.parametrize("lines", [["X: " + "x" * 100_000], ["X: 1"] * 50_000], ids=["long", "many"])
    def test_endless_headers_are_refused(self, shop, lines):
        answer = shop.exchange("GET", "/health/live", *lines)
        assert (answer.status, answer.closes, answer.header("content-type")) == (431, True, PROBLEM)
        assert shop.is_alive()

    def test_header_without_an_end_is_refused_before_it_has_one(self, wire):
        wire.send(b"GET /health/live HTTP/1.1\r\nX: ")
        wire.tell(b"x" * 10_000_000)
        answer = wire.answer()
        assert (answer.status, answer.closes) == (431, True)

    @pytest.mark.parametrize("sent", ["a%0d%0aInjected: 1", "\xe9" * 9, "<script>", "x" * 65, ""])
    def test_request_id_that_is_none_is_not_repeated(self, shop, sent):
        answer = shop.exchange("GET", "/api/v1/products/x", f"X-Request-Id: {sent}")
        assert answer.header("x-request-id") == answer.json["request_id"] != sent
        assert answer.header("injected") is None

    @pytest.mark.parametrize("path", ["/api/v1/products/x", "/nowhere"])
    def test_request_id_of_the_caller_is_repeated(self, shop, path):
        answer = shop.exchange("GET", path, "X-Request-Id: 7f.A_b-42")
        assert answer.header("x-request-id") == answer.json["request_id"] == "7f.A_b-42"

    def test_nothing_of_the_target_becomes_a_header(self, shop):
        answer = shop.exchange("GET", "/api/v1/products?q=a%0d%0aInjected:%201&per_page=1")
        assert answer.status in {200, 400}
        assert answer.header("injected") is None

    def test_request_needs_one_host(self, shop):
        assert shop.exchange("GET", "/health/live", host=False).status == 400
        assert shop.exchange("GET", "/health/live", "Host: elsewhere.example").status == 400

    def test_answers_do_not_believe_the_host(self, shop):
        for path in ("/", "/api/v1/products?per_page=1", "/docs", "/nowhere"):
            assert b"elsewhere" not in shop.exchange("GET", path, "Host: elsewhere.example", host=False).body

    @pytest.mark.parametrize(
        ("status", "lines"),
        [
            (401, ["{authorization}", "{authorization}"]),
            (401, ["{authorization}", "Authorization: Bearer x"]),
            (401, ["Authorization: Basic YTpi", "{authorization}"]),
            (415, ["{authorization}", JSON, "Content-Type: text/plain"]),
            (415, ["{authorization}", JSON, "Content-Encoding: gzip"]),
            (415, ["{authorization}", "Content-Type: application/json garbage"]),
            (415, ["{authorization}", "Content-Type: \xff/\xfe"]),
            (400, ["{authorization}", JSON, "Idempotency-Key: first-key", "Idempotency-Key: second-key"]),
            (400, ["{authorization}", JSON, "Idempotency-Key: \xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9"]),
        ],
        ids=repr,
    )
    def test_header_that_comes_twice_or_broken_is_refused(self, shop, status, lines):
        lines = [line.replace("{authorization}", shop.authorization) for line in lines]
        body = shop.product(sku="NEVER-MADE")
        assert shop.exchange("POST", "/api/v1/products", *lines, body=body).status == status
        assert not shop.has("NEVER-MADE")

    def test_tags_may_come_in_several_lines(self, shop):
        got = shop.exchange("GET", "/api/v1/products?per_page=1")
        lines = ['If-None-Match: "other"', f"If-None-Match: {got.header('etag')}"]
        assert shop.exchange("GET", "/api/v1/products?per_page=1", *lines).status == 304

    @pytest.mark.parametrize(
        "credentials",
        ["", "Bearer", "Bearer ", "Bearer x", "Bearer\t{token}", "Bearer {token}x", "Bearer {token}=",
        "Bearer {token} x",
         "Bearer {token}, x", 'Bearer "{token}"', "Bearer  x{token}", "Basic YTpi", "Token {token}", "{token}",
         "Bearer \xe9",
         "Bearer " + "a." * 20_000, "Bearer ..", "Bearer {head}..{signature}", "Bearer {head}.{payload}."],
        ids=lambda credentials: credentials[:30],
    )  # fmt: skip
    def test_odd_credentials_let_nobody_in(self, shop, credentials):
        head, payload, signature = shop.token.split(".")
        made = credentials.format(token=shop.token, head=head, payload=payload, signature=signature)
        for path in ("/api/v1/auth/me", "/api/v1/products"):
            answer = shop.exchange("GET", path, f"Authorization: {made}")
            assert answer.status == 401
            assert answer.header("www-authenticate").startswith("Bearer")

    def test_token_in_the_query_lets_nobody_in(self, shop):
        assert shop.exchange("GET", f"/api/v1/auth/me?access_token={shop.token}").status == 401


class _Parsed:
    """The target that the parser has accepted."""

    url = b""
    is_accepted = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_headers_complete(self) -> None:
        self.is_accepted = True


@given(
    strategies.lists(
        strategies.sampled_from(b"/?#%&=;:@!$'()*+,-._~[]{}|\\^`\"<>ab0\x7f\x80\xc3\xa9\x01\t"), max_size=12
    )
)
def test_every_target_that_the_parser_accepts_is_split_as_the_url_parser_splits_it(rest):
    parsed = _Parsed()
    with suppress(HttpParserError):
        HttpRequestParser(parsed).feed_data(b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % bytes(rest))
    if parsed.is_accepted:
        url = parse_url(parsed.url)
        assert split_target(parsed.url) == (url.path, url.query or b"")
