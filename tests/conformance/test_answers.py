"""What answers are: problems, entity tags and links, of every operation that has them."""

import csv
import io
import json
import re
from functools import reduce
from xml.etree.ElementTree import fromstring

import httpx
import pytest

from accord.engine.problems import Problem
from tests.support.operations import GETS, OPERATIONS, each

PROBLEMS = ["application/problem+json", "application/problem+xml"]
STATUSES = sorted({status for operation in OPERATIONS for status in operation.spec["responses"] if status >= "4"})
CHOSEN = {"application/json", "application/jwk-set+json", "application/xml", "text/csv"}
"""Media types that Accept chooses among; others are those of files, which are what they are."""
LINKED = [
    pytest.param(operation, parameter, id=f"{operation.label}-{parameter and parameter['name']}")
    for operation in GETS
    if CHOSEN.intersection(operation.success["content"])
    for parameter in [None, *(p for p in operation.parameters if p["in"] == "query")]
]


@each(OPERATIONS)
def test_every_error_is_a_problem(operation):
    for status, answer in operation.spec["responses"].items():
        if status >= "4":
            problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
            assert operation.resolve(answer)["content"] == dict.fromkeys(PROBLEMS, problem)


@pytest.mark.parametrize("status", STATUSES)
def test_type_of_a_problem_leads_to_its_explanation(server, status):
    for code in [500, 503] if status == "5XX" else [int(status)]:
        page, _, anchor = json.loads(Problem(code, "").body("/", ""))["type"].partition("#")
        assert f'id="{anchor}"' in httpx.get(server.base + page).text


@each(o for o in OPERATIONS if CHOSEN.intersection(o.success.get("content", {})))
def test_what_there_is_not_is_refused_before_anything_is_done(ask, operation):
    answer = ask(operation, headers={"Accept": "image/svg+xml"})
    assert (answer.status_code, answer.headers["Vary"]) == (406, "Accept, Accept-Encoding")
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
        assert (answer.status_code, answer.headers["Vary"].partition(" ")[0]) == (200, "Accept,")
        assert answer.headers["Content-Type"].partition(";")[0] == name
        again = ask(operation, path=path, headers={"Accept": name, "If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Vary"]) == (304, answer.headers["Vary"])


@each(o for o in GETS if "application/xml" in o.success.get("content", {}))
def test_xml_says_what_json_says(ask, known, operation):
    path = known(operation)
    document = fromstring(ask(operation, path=path, headers={"Accept": "application/xml"}).content)
    assert [*document.itertext()] == [*filter(None, _texts(ask(operation, path=path).json()))]


@each(o for o in GETS if "text/csv" in o.success.get("content", {}))
def test_rows_say_what_json_says(ask, known, operation):
    path = known(operation)
    items = ask(operation, path=path).json()["items"]
    rows = csv.DictReader(io.StringIO(ask(operation, path=path, headers={"Accept": "text/csv"}).text, newline=""))
    for item, row in zip(items, rows, strict=True):
        for column, cell in row.items():
            value = reduce(lambda inner, name: inner and inner[name], column.split("."), item)
            assert isinstance(value, list) or any(cell in (text, f"'{text}") for text in _texts(value))


@each(o for o in GETS if "ETag" in o.success.get("headers", {}))
def test_what_the_caller_has_is_not_sent_again(ask, known, operation):
    path = known(operation)
    tag = ask(operation, path=path).headers["ETag"]
    for same in (tag, f"W/{tag}", f'"other", {tag}'):
        answer = ask(operation, path=path, headers={"If-None-Match": same})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    for same, status in {"*": 304, '"other"': 200}.items():
        assert ask(operation, path=path, headers={"If-None-Match": same}).status_code == status


@pytest.mark.parametrize("tag", ['"other"', "no tag at all", 'W/"other"'])
@each(o for o in OPERATIONS if "If-Match" in o.names("header"))
def test_change_of_another_version_is_refused(ask, known, operation, tag):
    assert ask(operation, path=known(operation), headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize(("operation", "parameter"), LINKED)
def test_links_lead_somewhere(ask, client, known, operation, parameter):
    params = {parameter["name"]: operation.sent(parameter)} if parameter else {}
    answer = ask(operation, path=known(operation), params=params)
    assert answer.status_code == 200
    for href in set(_links(answer.json())):
        assert client.get(href, headers={"Authorization": answer.request.headers["Authorization"]}).status_code == 200


@each(o for o in GETS if o.resolve(o.success.get("headers", {}).get("Link", {})).get("required"))
def test_link_header_says_what_links_say(ask, known, operation):
    answer = ask(operation, path=known(operation))
    said = {name: {"href": href} for href, name in re.findall(r'<([^>]*)>; rel="([^"]+)"', answer.headers["Link"])}
    successor = {"successor-version"} & set(said)
    assert bool(successor) == ("x-successor" in operation.spec)
    assert {name: link for name, link in said.items() if name not in successor} == answer.json()["_links"]


def _texts(made):
    """Every scalar in it, at any depth, as text; of what is empty, one that is."""
    match made:
        case dict() | list() if made:
            for inner in made.values() if isinstance(made, dict) else made:
                yield from _texts(inner)
        case None | dict() | list():
            yield ""
        case str():
            yield made
        case _:
            yield json.dumps(made)


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
