"""Bodies that are nearly JSON, or JSON that nobody meant."""

import json

import pytest

from tests.support.servers import JSON

NOT_JSON = [
    b"", b" ", b"{", b"}", b"[", b"{]", b"nul", b"Null", b"True", b"'a'", b"{'a':1}", b"{a:1}", b'{"a":1,}', b"[1,]",
    b"[,1]",
    b"[1 2]", b'{"a" 1}', b'{"a":}', b"{:1}", b'{"a":1}}', b'{"a":1}{"b":2}', b"{}\n{}", b"//c\n{}", b"/**/{}", b"{}#",
    b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x00{\x00}", b"{}\x00", b"\x00", b"\x0c{}", b"\xc2\xa0{}",
    b"\xe2\x80\xa8{}",
    b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xe2\x82"}',
    b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\\ud800\\u0041"}', b'{"\\ud800":1}',
    b'{"a":"\\u00g0"}', b'{"a":"\\u12"}', b'{"a":"\\x41"}', b'{"a":"\\a"}', b'{"a":"\\', b'{"a":"tab\there"}',
    b'{"a":"line\nhere"}', b'{"a":"\x00"}', b'{"a":"\x1f"}', b'{"a":"open', b'{"a":NaN}', b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b'{"a":1e}', b'{"a":1e+}', b'{"a":0x1}', b'{"a":1_0}',
    b'{"a":--1}',
    b'{"a":-}', b'{"a":1,"b"', b"[" * 100_000, b'{"a":' * 50_000, b"[" * 1_500 + b"]" * 1_500,
    b'{"a":' * 1_500 + b"1" + b"}" * 1_500,
]  # fmt: skip
"""What RFC 8259 has not, what it leaves to us and we refuse: BOMs, lone surrogates, endless depth."""

NO_PRODUCT = [
    b"null", b"true", b"0", b"-0", b"1e400", b'""', b"[]", b"[{}]", b"{}", b"[[[[[[]]]]]]", b'{"":1}',
    b'{"__proto__":{}}', b'{"a":"\\u0000"}', b'{"\\u0000":1}',
    b'{"sku":1e400}', b'{"a":' + b"9" * 5_000 + b"}", b'{"a":1' + b"0" * 400 + b".5}",
    b'{"a":"' + b"x" * 900_000 + b'"}',
    b"[" + b"0," * 400_000 + b"0]", b"{" + b",".join(b'"k%d":0' % n for n in range(50_000)) + b"}",
    b'{"sku":null,"name":null,"price":null,"category_id":null,"tags":null,"stock":null}', b"\r\n\t {} \r\n\t",
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: f"{body[:30]!a} {len(body)}")
@pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/auth/login"])
def test_body_that_is_not_json_is_a_400(shop, path, body):
    answer = shop.exchange("POST", path, shop.authorization, JSON, body=body)
    assert (answer.status, answer.header("content-type")) == (400, "application/problem+json"), answer.body[:300]


@pytest.mark.parametrize("body", NO_PRODUCT, ids=lambda body: f"{body[:30]!a} {len(body)}")
@pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/auth/login"])
def test_json_that_is_something_else_is_refused(shop, path, body):
    answer = shop.exchange("POST", path, shop.authorization, JSON, body=body)
    assert answer.status in {400, 422}, answer.body[:300]
    assert len(answer.body) < 100_000, "An answer to nonsense should not be as long as the nonsense."


ODD_MEMBERS = {
    "price": [1, 9.5, 1e3, "9.555", "1e3", "-1.00", "0.00", "+1.00", " 1.00", "1.00\n", "\u0663.\u0660\u0660", "NaN",
              "9" * 40, "", [], {}, True],
    "stock": [-1, 1.5, "1", True, 10**18, 2**63, 2**64 + 1, 1e300, None, []],
    "sku": ["a", "lower-case", "AB", "A" * 33, "ÄÖÜ-1", "AB C", "ABC\n", "", None, 1, ["ABC"]],
    "name": ["", "x" * 151, None, 1, "nul\0", {}],
    "category_id": ["", "x", "0" * 36, "{01890a5d-ac96-774b-bcce-b302099a8057}",
                    "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
                    "01890a5dac96774bbcceb302099a8057", None, 1],
    "tags": ["TV", [""], [None], ["x" * 51], [str(n) for n in range(21)], {"0": "TV"}, [["TV"]], 1],
    "id": ["01890a5d-ac96-774b-bcce-b302099a8057"],
    "created_at": ["2026-01-01T00:00:00Z"],
    "version": [1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in ODD_MEMBERS.items() for value in values],
    ids=lambda v: ascii(v)[:40],
)
def test_odd_member_is_refused_and_pointed_at(shop, name, value):
    body = json.loads(shop.product(sku="NEVER-MADE")) | {name: value}
    answer = shop.exchange("POST", "/api/v1/products", shop.authorization, JSON, body=json.dumps(body).encode())
    assert answer.status == 422, answer.body[:300]
    assert {error["pointer"].split("/")[1] for error in answer.json["errors"]} == {name}
    if name != "sku":
        assert not shop.has("NEVER-MADE")


def test_text_of_all_languages_comes_back_as_it_was_sent(shop):
    for name in (
        "Ghī घी",
        "👩‍👩‍👧‍👦",
        "a\u0301",
        "\u202eright to left",
        "ﬁ ligature",
        "\ufeffbom",
        "\U0010ffff",
        "%00",
        "\\u0041",
        "'; --",
    ):
        made = shop.exchange("POST", "/api/v1/products", shop.authorization, JSON, body=shop.product(name=name))
        assert (made.status, made.json["name"]) == (201, name)
        assert shop.exchange("GET", made.header("location")).json["name"] == name


def test_a_member_twice_is_one_of_the_two_or_refused(shop):
    body = shop.product()[:-1] + b',"price":"1.00","price":"2.00"}'
    answer = shop.exchange("POST", "/api/v1/products", shop.authorization, JSON, body=body)
    assert answer.status in {400, 422} or answer.json["price"] == "2.00"
