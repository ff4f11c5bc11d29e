"""What answers are: problems, entity tags, links and pages, of every operation that has them."""

import json
import re
from itertools import islice

import httpx
import pytest

from contract.problems import Problem
from tests.contract.operations import GETS, OPERATIONS, each

PROBLEMS = ["application/problem+json", "application/problem+xml"]
STATUSES = sorted({status for operation in OPERATIONS for status in operation.spec["responses"] if status >= "4"})
LISTS = [o for o in GETS if "items" in o.json_schema(o.success).get("properties", {}) and not o.path.endswith("}")]
CHOSEN = {"application/json", "application/jwk-set+json", "application/xml", "text/csv"}
"""Media types that Accept chooses among; others are those of files, which are what they are."""
LINKED = [
    pytest.param(operation, parameter, id=f"{operation.label}-{parameter and parameter['name']}")
    for operation in GETS
    if CHOSEN.intersection(operation.success["content"])
    for parameter in [None, *(p for p in operation.parameters if p["in"] == "query")]
]
RESTORATIONS = [o for o in OPERATIONS if o.path.endswith("/restoration")]


@each(OPERATIONS)
def test_every_error_is_a_problem(operation):
    for status, answer in operation.spec["responses"].items():
        if status >= "4":
            problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
            assert operation.follow(answer)["content"] == dict.fromkeys(PROBLEMS, problem)


@pytest.mark.parametrize("status", STATUSES)
def test_type_of_a_problem_leads_to_its_explanation(server, status):
    for code in [500, 503] if status == "5XX" else [int(status)]:
        page, _, anchor = json.loads(Problem(code, "").body("/", ""))["type"].partition("#")
        assert f'id="{anchor}"' in httpx.get(server.base + page).text


@each(o for o in OPERATIONS if CHOSEN.intersection(o.success.get("content", {})))
def test_what_there_is_not_is_refused_before_anything_is_done(ask, operation):
    answer = ask(operation, headers={"Accept": "image/svg+xml"})
    assert (answer.status_code, answer.headers["Vary"]) == (406, "Accept")
    assert all(name in answer.json()["detail"] for name in operation.success["content"])


@each(o for o in OPERATIONS if o.requires_credentials)
def test_problem_is_xml_for_who_prefers_it(ask, operation):
    answer = ask(operation, role=None, headers={"Accept": "application/xml, application/json;q=0.9"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+xml")


@each(o for o in GETS if len(CHOSEN.intersection(o.success.get("content", {}))) > 1)
def test_each_media_type_is_what_was_asked_for(ask, known, operation):
    path = known(operation)
    for name in operation.success["content"]:
        answer = ask(operation, path=path, headers={"Accept": f"{name}, */*;q=0.1"})
        assert (answer.status_code, answer.headers["Vary"].partition(",")[0]) == (200, "Accept")
        assert answer.headers["Content-Type"].partition(";")[0] == name
        again = ask(operation, path=path, headers={"Accept": name, "If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


@each(o for o in GETS if "ETag" in o.success.get("headers", {}))
def test_what_the_caller_has_is_not_sent_again(ask, known, operation):
    path = known(operation)
    tag = ask(operation, path=path).headers["ETag"]
    for same in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = ask(operation, path=path, headers={"If-None-Match": same})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert ask(operation, path=path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("tag", ['"other"', "no tag at all", 'W/"other"'])
@each(o for o in OPERATIONS if "If-Match" in o.names("header"))
def test_change_of_another_version_is_refused(ask, known, operation, tag):
    assert ask(operation, path=known(operation), headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize(("operation", "parameter"), LINKED)
def test_links_lead_somewhere(ask, client, known, operation, parameter):
    params = {parameter["name"]: _sent(operation, parameter)} if parameter else {}
    answer = ask(operation, path=known(operation), params=params)
    assert answer.status_code == 200
    for href in set(_links(answer.json())):
        assert client.get(href, headers={"Authorization": answer.request.headers["Authorization"]}).status_code == 200


@each(o for o in GETS if "Link" in o.success.get("headers", {}))
def test_link_header_says_what_links_say(ask, known, operation):
    answer = ask(operation, path=known(operation))
    said = {name: {"href": href} for href, name in re.findall(r'<([^>]*)>; rel="([^"]+)"', answer.headers["Link"])}
    successor = {"successor-version"} & set(said)
    assert bool(successor) == ("x-successor" in operation.spec)
    assert {name: link for name, link in said.items() if name not in successor} == answer.json()["_links"]


@each(LISTS)
def test_every_list_pages(operation):
    assert {"page", "cursor"} & set(operation.names("query"))
    assert "per_page" in operation.names("query")
    assert {"self", "next"} <= operation.success["links"].keys()


@each(o for o in LISTS if "page" in o.names("query"))
def test_pages_lead_from_the_first_to_the_last_and_back(ask, known, client, operation):
    answer = ask(operation, path=known(operation), params={"per_page": 1})
    token = {"Authorization": answer.request.headers["Authorization"]}
    first, seen = answer.json(), []
    while True:
        page = answer.json()
        seen += [item["id"] for item in page["items"]]
        assert (page["page"], page["per_page"], page["total"]) == (len(seen), 1, first["total"])
        assert client.get(page["_links"]["self"]["href"], headers=token).json() == page
        if len(seen) > 1:
            assert client.get(page["_links"]["prev"]["href"], headers=token).json()["page"] == page["page"] - 1
        if "next" not in page["_links"]:
            break
        answer = client.get(page["_links"]["next"]["href"], headers=token)
    assert len(seen) == len(set(seen)) == first["total"] == page["pages"]
    assert "prev" not in first["_links"]


@each(o for o in LISTS if "cursor" in o.names("query"))
def test_cursors_lead_over_every_row_once(ask, known, client, operation):
    def walk(per_page):
        answer = ask(operation, path=known(operation), params={"cursor": "*", "per_page": per_page})
        token, begun = {"Authorization": answer.request.headers["Authorization"]}, answer.json()
        while True:
            page = answer.json()
            assert client.get(page["_links"]["self"]["href"], headers=token).json() == page
            assert client.get(page["_links"]["first"]["href"], headers=token).json()["items"] == begun["items"]
            yield from (item["id"] for item in page["items"])
            if "next" not in page["_links"]:
                assert page["next_cursor"] is None
                return
            answer = client.get(page["_links"]["next"]["href"], headers=token)

    seen = list(walk(100))
    assert len(seen) == len(set(seen)) > 0
    assert list(islice(walk(1), 20)) == seen[:20]
    assert list(islice(walk(7), 20)) == seen[:20]


@each(RESTORATIONS)
def test_what_is_deleted_comes_back_as_it_was(ask, known, operation):
    path = known(operation).removesuffix("/restoration")
    get, delete = (
        next(o for o in OPERATIONS if (o.method, o.path) == (method, operation.path.removesuffix("/restoration")))
        for method in ("GET", "DELETE")
    )
    before = ask(get, path=path).json()
    assert ask(operation, path=f"{path}/restoration").status_code in (404, 409)
    assert [ask(delete, path=path).status_code for _ in range(2)] == [204, 404]
    assert ask(get, path=path).status_code == 404
    assert ask(operation, path=f"{path}/restoration").status_code == 200
    assert _lasting(ask(get, path=path).json()) == _lasting(before)


def _sent(operation, parameter):
    value = operation.example(parameter["schema"])
    if isinstance(value, list) and not parameter.get("explode", True):
        return ",".join(value)
    return value


def _links(made):
    """Every `href` of every `_links`, at any depth."""
    match made:
        case {"_links": links, **others}:
            yield from (link["href"] for link in links.values())
            yield from _links(others)
        case dict():
            for inner in made.values():
                yield from _links(inner)
        case list():
            for inner in made:
                yield from _links(inner)


def _lasting(product):
    return {name: value for name, value in product.items() if name != "updated_at"}
