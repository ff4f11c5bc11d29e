"""The versions of the API: how a request comes to one, and how the old one goes."""

import json
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import combinations

import pytest

from accord.app.documents import CONTRACTS
from tests.support.operations import OPERATIONS as EVERY
from tests.support.server import copied
from tests.support.servers import JSON

VERSIONS = [version.removeprefix("v") for version in CONTRACTS]
FIRST, SECOND = VERSIONS
PROBLEM = "application/problem+json"
ID = "01890a5d-ac96-774b-bcce-b302099a8057"

WAYS = {
    "X-API-Version": lambda version: ("", [f"X-API-Version: {version}"]),
    "media type": lambda version: ("", [f"Accept: application/vnd.accord.v{version}+json"]),
    "parameter of the media type": lambda version: ("", [f"Accept: application/json; version={version}"]),
    "parameter": lambda version: (f"?version={version}", []),
}
"""How a request names a version: in its query, or in a header; what stands before counts before."""

ways = pytest.mark.parametrize("way", WAYS)
RIVALS = [(first, second) for first, second in combinations(WAYS, 2) if not second.endswith("media type")]


@pytest.fixture
def ask(shop):
    """Ask as the admin who may everything."""

    def ask(method, target, *lines, body=None):
        return shop.exchange(method, target, shop.authorization, *lines, body=body)

    return ask


def vary(answer):
    return {name.strip() for field, value in answer.headers if field == "vary" for name in value.split(",")}


def lasting(answer):
    """The header fields that are the same the next time."""
    return sorted(field for field in answer.headers if field[0] not in {"date", "x-request-id"})


def is_deprecated(operation):
    return operation.spec.get("deprecated", False)


def successor(answer):
    """Where the link to what comes after leads, if there is one."""
    links = ", ".join(value for field, value in answer.headers if field == "link")
    found = re.search(r'<([^>]*)>; rel="successor-version"', links)
    return found and found[1]


def midnight(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


class TestResolving:
    @ways
    @pytest.mark.parametrize("version", VERSIONS)
    def test_each_way_leads_to_what_is_at_the_versioned_path(self, ask, way, version):
        query, lines = WAYS[way](version)
        answer, there = ask("GET", f"/api/customers{query}", *lines), ask("GET", f"/api/v{version}/customers")
        assert (answer.status, answer.body) == (200, there.body)
        assert answer.header("content-location") == f"/api/v{version}/customers"
        assert answer.header("content-type") == "application/json"
        assert {"X-API-Version", "Accept"} <= vary(answer)

    @pytest.mark.parametrize("lines", [[], ["Accept: */*"], ["Accept: application/json"], ["Accept: application/xml"]])
    def test_who_names_no_version_gets_the_first(self, ask, lines):
        answer = ask("GET", "/api/products", *lines)
        assert (answer.status, answer.header("content-location")) == (200, f"/api/v{FIRST}/products")

    @pytest.mark.parametrize(("earlier", "later"), RIVALS)
    @pytest.mark.parametrize(("said", "ignored"), [(FIRST, SECOND), (SECOND, FIRST), (SECOND, "9")])
    def test_of_two_ways_the_earlier_counts(self, ask, earlier, later, said, ignored):
        (first, lines), (second, others) = WAYS[earlier](said), WAYS[later](ignored)
        answer = ask("GET", f"/api/customers{first}{second}", *lines, *others)
        assert (answer.status, answer.header("content-location")) == (200, f"/api/v{said}/customers")

    @pytest.mark.parametrize(
        ("accept", "version"),
        [
            ("application/vnd.accord.v1+json;q=0.4, application/vnd.accord.v2+json;q=0.5", SECOND),
            ("application/vnd.accord.v2+json;q=0.4, application/vnd.accord.v1+json;q=0.5", FIRST),
            ("application/vnd.accord.v2+json;q=0.4, application/json;version=1;q=0.5", FIRST),
            ("application/vnd.accord.v2+json, application/vnd.accord.v1+json", SECOND),
            ("application/vnd.accord.v9+json, application/vnd.accord.v2+json;q=0.1", SECOND),
            ("text/html, application/vnd.accord.v2+json;q=0.1, */*;q=0.05", SECOND),
            ("application/vnd.accord.v2+json;q=0, application/json", FIRST),
            ("application/json;version=2;q=0, */*", FIRST),
            ("application/vnd.accord.v2+json;q=.5", SECOND),
            ("Application/VND.Accord.V2+JSON", SECOND),
            ('application/json;charset=utf-8;Version="2"', SECOND),
            ("application/json;q=0.5;version=2", SECOND),
            ("application/xml;version=9, application/json;q=0.5", FIRST),
            ("application/vnd.oai.openapi+json;version=3.1, */*", FIRST),
            ("application/vnd.other.v2+json, */*", FIRST),
            ("application/vnd.accordXv2+json, */*", FIRST),
        ],
    )
    def test_of_several_media_types_the_most_wanted_names_the_version(self, ask, accept, version):
        for lines in ([f"Accept: {accept}"], [f"Accept: {media_range}" for media_range in accept.split(",")]):
            answer = ask("GET", "/api/categories", *lines)
            assert (answer.status, answer.header("content-location")) == (200, f"/api/v{version}/categories")

    def test_version_is_one_thing_and_the_representation_another(self, ask):
        accept = "Accept: application/vnd.accord.v2+json;q=0.5, application/xml"
        answer = ask("GET", "/api/products", accept)
        assert (answer.header("content-location"), answer.header("content-type")) == (
            f"/api/v{SECOND}/products", "application/xml"
        )  # fmt: skip

    def test_white_space_around_a_version_is_none_of_it(self, ask):
        answer = ask("GET", "/api/categories", "X-API-Version:\t 2 \t")
        assert answer.header("content-location") == "/api/v2/categories"

    def test_a_header_that_nobody_needs_so_long_names_nothing(self, ask):
        answer = ask("GET", "/api/categories", "Accept: " + "application/vnd.accord.v2+json, " * 1_900)
        assert (answer.status, answer.header("content-location")) == (200, f"/api/v{FIRST}/categories")

    @pytest.mark.parametrize(
        ("query", "rest"),
        [
            ("version=2", ""),
            ("version=2&per_page=2&sort=-price", "?per_page=2&sort=-price"),
            ("per_page=2&version=2&sort=-price", "?per_page=2&sort=-price"),
            ("q=%61%26version%3D1&version=2", "?q=%61%26version%3D1"),
            ("%76ersion=%32&per_page=2", "?per_page=2"),
        ],
    )
    def test_parameter_is_no_part_of_what_was_asked(self, ask, query, rest):
        answer, there = ask("GET", f"/api/products?{query}"), ask("GET", f"/api/v2/products{rest}")
        assert (answer.status, answer.body) == (200, there.body)
        assert answer.header("content-location") == f"/api/v2/products{rest}"
        assert all(link["href"].startswith("/api/v2/products") for link in answer.json["_links"].values())
        assert "version=" not in re.sub("%26version%3D", "", json.dumps(answer.json["_links"]))

    @pytest.mark.parametrize("query", ["versions=2", "Version=2", "version[]=2", "version=2&colour=red"])
    def test_other_parameters_are_unknown_as_ever(self, ask, query):
        answer = ask("GET", f"/api/categories?{query}")
        assert (answer.status, [error["code"] for error in answer.json["errors"]]) == (400, ["unknown"])


class TestUnknownVersion:
    @ways
    @pytest.mark.parametrize("version", ["0", "3", "10", "01", "v2", "two", "2x"])
    def test_version_that_there_is_not_is_refused_with_those_there_are(self, ask, way, version):
        query, lines = WAYS[way](version)
        answer = ask("GET", f"/api/customers{query}", "X-Request-Id: 7f.A_b-42", *lines)
        assert (answer.status, answer.header("content-type")) == (400, PROBLEM)
        assert answer.json["detail"].endswith(f"known: {', '.join(VERSIONS)}.")
        assert answer.header("x-request-id") == answer.json["request_id"] == "7f.A_b-42"
        assert answer.json["instance"] == "/api/customers"
        assert {"X-API-Version", "Accept"} <= vary(answer)
        assert answer.header("content-location") is None

    @pytest.mark.parametrize("version", ["", "1.0", "-1", "1e0", "1,2", "%00", "%C2%B2", "<b>", "../v2", "2" * 5_000])
    def test_odd_version_is_none(self, ask, version):
        for query, lines in ((f"?version={version}", []), ("", [f"X-API-Version: {version}"])):
            answer = ask("GET", f"/api/customers{query}", *lines)
            assert (answer.status, answer.header("content-type")) == (400, PROBLEM)
            assert len(answer.body) < 500

    @pytest.mark.parametrize(
        ("query", "lines"),
        [
            ("?version=2&version=2", []),
            ("?version=1&%76ersion=2", []),
            ("?version=%ff", []),
            ("", ["X-API-Version: 2", "X-API-Version: 2"]),
        ],
    )
    def test_version_is_named_once_and_readably(self, ask, query, lines):
        assert ask("GET", f"/api/customers{query}", *lines).status == 400

    def test_it_is_said_in_the_language_of_the_caller(self, ask):
        answer = ask("GET", "/api/customers", "X-API-Version: 9", "Accept: application/problem+xml")
        assert (answer.status, answer.header("content-type")) == (400, "application/problem+xml")

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
    def test_every_method_is_refused(self, ask, method):
        answer = ask(method, "/api/customers", "X-API-Version: 9", JSON, body=b"{}")
        assert (answer.status, answer.header("content-type")) == (400, PROBLEM)
        assert bool(answer.body) == (method != "HEAD")


class TestMethods:
    @pytest.mark.parametrize("path", ["/api/products?version=2", "/api/products/x", "/api/none", "/api/openapi.json"])
    def test_head_says_what_get_says(self, ask, path):
        got, head = ask("GET", path), ask("HEAD", path)
        varying = {"content-length"} if got.status >= 400 else set()
        kept = [[field for field in lasting(answer) if field[0] not in varying] for answer in (got, head)]
        assert (head.status, head.body, kept[1]) == (got.status, b"", kept[0])

    @pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("PATCH", 405)])
    def test_methods_of_the_path_are_told(self, ask, method, status):
        answer, there = ask(method, "/api/products"), ask(method, "/api/v1/products")
        assert (answer.status, answer.header("allow")) == (status, there.header("allow"))
        assert {"X-API-Version", "Accept"} <= vary(answer)
        assert answer.header("content-location") is None

    @pytest.mark.parametrize("path", ["/api/nothing", f"/api/products/{ID}", "/api/customers"])
    def test_refusal_depends_on_the_version_as_well(self, shop, path):
        answer = shop.exchange("GET", path, "X-API-Version: 2")
        assert answer.status in {401, 404}
        assert answer.json["instance"] == path.replace("/api/", "/api/v2/")
        assert {"X-API-Version", "Accept"} <= vary(answer)
        assert answer.header("content-location") is None

    def test_thing_is_created_read_again_and_deleted(self, shop, ask):
        created = ask("POST", "/api/products", JSON, "X-API-Version: 2", body=shop.product())
        assert (created.status, created.header("content-location")) == (201, None)
        where, path = created.header("location"), f"/api/products/{created.json['id']}"
        assert where == f"/api/v2/products/{created.json['id']}"
        read = ask("GET", f"{path}?version=2")
        assert (read.body, read.header("content-location")) == (created.body, where)
        known = f"If-None-Match: {read.header('etag')}"
        again = ask("GET", f"{path}?version=2", known)
        assert (again.status, again.body, again.header("content-location")) == (304, b"", where)
        assert {"X-API-Version", "Accept"} <= vary(again)
        assert ask("GET", path, known).status == 200, "The links lead elsewhere, so it is another representation."
        deleted = ask("DELETE", path, f"If-Match: {ask('GET', path).header('etag')}")
        assert (deleted.status, deleted.header("content-location")) == (204, None)
        assert ask("GET", where).status == 404

    def test_key_is_for_one_path_however_that_was_reached(self, shop, ask):
        body, key = shop.product(), f"Idempotency-Key: {shop.port}-{ID}"
        first = ask("POST", "/api/products?version=1", JSON, key, body=body)
        again = [ask("POST", path, JSON, key, body=body) for path in ("/api/v1/products", "/api/products")]
        assert {(answer.status, answer.body, answer.header("idempotency-replayed")) for answer in again} == {
            (201, first.body, "true")
        }
        assert ask("POST", "/api/v2/products", JSON, key, body=body).status == 422

    def test_contract_of_a_version_is_found_the_same_way(self, ask):
        answer = ask("GET", "/api/openapi.json?version=2")
        assert (answer.body, answer.header("content-location")) == (
            ask("GET", "/api/v2/openapi.json").body, "/api/v2/openapi.json"
        )  # fmt: skip
        assert ask("GET", "/api/openapi.json", "Accept: application/vnd.oai.openapi+json;version=3.1").status == 200


class TestPaths:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("way", [way for way in WAYS if way != "parameter"])
    def test_version_in_the_path_counts_before_all_others(self, ask, version, way):
        plain = ask("GET", f"/api/v{version}/customers")
        for other in ("1", "2", "9"):
            _, lines = WAYS[way](other)
            answer = ask("GET", f"/api/v{version}/customers", *lines)
            assert (answer.status, answer.body, lasting(answer)) == (200, plain.body, lasting(plain))

    def test_path_with_a_version_has_no_parameter_for_it(self, ask):
        answer = ask("GET", "/api/v2/customers?version=2")
        assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "version")

    @pytest.mark.parametrize(
        "target",
        [
            "/api", "/api?version=2", "/api/", "/api/?version=2", "/api//", "/apix", "/apix/products", "/api.json",
            "/api/v3/products", "/api/v10/products", "/api/v01/products", "/api/v0/products", "/api/v/products",
            "/api/V2/products", "/api/v2", "/api/v2/", "/api/v2x/products", "/api/v2.json", "/api/v1/v2/products",
            "/api/v\xb2/products".encode().decode("latin-1").replace("\xc2", "%C2").replace("\xb2", "%B2"),
            "/api//products", "/api/products/", "/api%2Fproducts", "/api/%2Fproducts", "/api/v1%2Fproducts",
            "/api/../products", "/api/../api/products", "/api/./products", "/api/v1/../v2/products",
            "/api/%2e%2e/docs", "/api/..%2f..%2fmain.py", "/api/products%00", "/api/%ff", "/api/%c0%af/products",
            "/API/products", "//api/products", "/api/products;version=2", "/api/products%3Fversion=2",
        ],
    )  # fmt: skip
    def test_there_is_nothing_at_odd_paths(self, ask, target):
        answer = ask("GET", target)
        assert (answer.status, answer.header("content-type")) == (404, PROBLEM)
        assert answer.header("content-location") is None

    @pytest.mark.parametrize("target", ["/%61pi/products", "/a%70%69/products", "/api/%70roducts"])
    def test_letters_may_be_encoded(self, ask, target):
        answer = ask("GET", f"{target}?version=2")
        assert (answer.status, answer.body) == (200, ask("GET", "/api/v2/products").body)
        assert ask("GET", answer.header("content-location")).body == answer.body

    @pytest.mark.parametrize("path", ["/", "/health/live", "/docs", "/problems", "/.well-known/jwks.json"])
    def test_what_has_no_versions_does_not_ask_for_one(self, ask, path):
        answer = ask("GET", path, "X-API-Version: 9")
        assert answer.status == 200
        assert "X-API-Version" not in vary(answer)


class TestSecondVersion:
    def test_answers_differ_from_those_of_the_first_in_their_links_only(self, ask):
        paths = [each.path for each in EVERY if each.id.startswith("list_") and not is_deprecated(each)]
        paths = [path for path in paths if path.startswith("/api/v1/") and "{" not in path]
        assert len(paths) > 8
        for path in paths:
            here, there = (ask("GET", path.replace("/v1/", f"/v{version}/")) for version in VERSIONS)
            assert (here.status, here.body.replace(b"/api/v1/", b"/api/v2/")) == (200, there.body)


class TestDeprecation:
    @pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.label)
    def test_every_answer_of_what_is_deprecated_says_so_and_no_other(self, shop, operation):
        answer = shop.exchange(operation.method, re.sub(r"{\w+}", ID, operation.path))
        told = [answer.header("deprecation"), answer.header("sunset"), successor(answer)]
        if not is_deprecated(operation):
            assert told == [None, None, None]
            return
        since, sunset = (midnight(operation.spec[word]) for word in ("x-deprecated-since", "x-sunset"))
        assert told[0] == f"@{since.timestamp():.0f}"
        assert told[1] == format_datetime(sunset, usegmt=True)
        assert told[2].startswith("/api/v2/customers")

    @pytest.mark.parametrize("path", ["/api/v1/customers", "/api/customers"])
    def test_successor_is_the_same_customer_in_version_2(self, ask, path):
        for customer in ask("GET", path).json["items"]:
            read = ask("GET", f"{path}/{customer['id']}")
            assert successor(read) == f"/api/v2/customers/{customer['id']}"
            followed = ask("GET", successor(read))
            assert (followed.status, followed.json["id"], followed.json["location"]) == (
                200, customer["id"], customer["city"]
            )  # fmt: skip
            assert successor(followed) is None


class TestSunset:
    """Its day has come in a copy of the repository whose contract says so."""

    @pytest.fixture(scope="class", params=[True, False], ids=["ends", "goes on"])
    @classmethod
    def evening(cls, request, start, tmp_path_factory):
        """A service past the sunset, and whether it ends then what was deprecated."""
        root = copied(tmp_path_factory.mktemp("sunset"))
        for file in root.glob("openapi/paths/customers*.yaml"):
            text = re.sub(r"(x-deprecated-since): .*", r"\1: '2020-01-31'", file.read_text("utf-8"))
            file.write_text(re.sub(r"(x-sunset): .*", r"\1: '2020-06-30'", text), "utf-8")
        return start("sqlite", root=root, ACCORD_ENFORCE_SUNSET=str(request.param)), request.param

    def test_what_was_deprecated_is_gone_if_the_operator_says_so(self, evening):
        shop, ends = evening
        for operation in filter(is_deprecated, EVERY):
            answer = shop.exchange(operation.method, re.sub(r"{\w+}", ID, operation.path))
            assert (answer.status == 410) == ends
            assert answer.header("content-type") == PROBLEM
            assert answer.header("sunset") == "Tue, 30 Jun 2020 00:00:00 GMT"
            assert successor(answer).startswith("/api/v2/customers")

    def test_all_else_goes_on(self, evening):
        shop, ends = evening
        gone = 410 if ends else 200
        for path, status in {
            "/api/v1/customers": gone,
            "/api/customers": gone,
            "/api/v2/customers": 200,
            "/api/customers?version=2": 200,
            "/api/v1/products": 200,
            "/api/products": 200,
        }.items():
            assert shop.exchange("GET", path, shop.authorization).status == status
        answer = shop.exchange("GET", "/api/customers", shop.authorization)
        assert successor(answer) == "/api/v2/customers"
