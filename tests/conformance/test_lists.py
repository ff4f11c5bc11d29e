"""Every list: it pages by links and by headers, in its order, and says what was asked for."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import islice

import pytest

from db.text import casefold
from tests.support.operations import LISTS, at, each
from tests.support.pagination import LONGEST, by_header, ids, items, pages
from tests.support.write_operations import Somebody

FEW = 20
"""Pages that are gone through one by one; a list may be long."""

START = {"page": {"page": 1}, "cursor": {"cursor": "*"}}
WALKS = [
    pytest.param(operation, START[way], id=f"{operation.label}-{way}")
    for operation in LISTS
    for way in START
    if way in operation.names("query")
]
SORTED = [o for o in LISTS if "sort" in o.names("query")]
FILTERED = [
    pytest.param(operation, parameter, id=f"{operation.label}-{parameter['name']}")
    for operation in LISTS
    for parameter in operation.parameters
    if parameter["in"] == "query" and parameter["name"] not in (*START, "per_page")
]


@pytest.fixture(scope="module")
def reader(ask, known):
    """Somebody who reads lists, of which each has three items at least."""
    reader = Somebody(ask, known)
    for operation in LISTS:
        for _ in range(3):
            creation = at("POST", operation.path)
            reader(creation) if creation else reader.logged_in(reader.login)
    return reader


@each(LISTS)
def test_every_list_pages(operation):
    assert {"page", "cursor"} & set(operation.names("query"))
    assert "per_page" in operation.names("query")
    assert {"self", "next"} <= operation.success["links"].keys()


@pytest.mark.parametrize(("operation", "start"), WALKS)
def test_pages_lead_over_every_item_once_by_links_and_by_headers(reader, operation, start):
    asked = {"path": reader.made(operation.path), **start}
    everything = ids(reader.ask, operation, **asked, **LONGEST)
    assert len(everything) == len(set(everything)) > 2
    for per_page in (1, 7):
        asked["per_page"] = per_page
        walk = [answer.json() for answer in islice(pages(reader.ask, operation, **asked), FEW)]
        assert [item["id"] for page in walk for item in page["items"]] == everything[: FEW * per_page]
        for media_type in operation.success["content"]:
            others = pages(reader.ask, operation, **asked, follow=by_header, headers={"Accept": media_type})
            for page, other in zip(walk, islice(others, FEW), strict=True):
                assert all(item["id"] in other.text for item in page["items"])


@pytest.mark.parametrize(("operation", "start"), WALKS)
def test_page_leads_to_itself_and_to_those_around_it(reader, operation, start):
    def lead(page, name):
        return reader.ask(operation, path=page["_links"][name]["href"]).json()

    path, links = reader.made(operation.path), operation.success["links"]
    everything = ids(reader.ask, operation, path=path, **start, **LONGEST)
    walk = [answer.json() for answer in islice(pages(reader.ask, operation, path=path, **start, per_page=1), FEW)]
    for before, page in zip([None, *walk], walk, strict=False):
        assert lead(page, "self") == page
        assert "first" not in links or lead(page, "first")["items"] == walk[0]["items"]
        if "page" in start:
            counted = (page["page"], page["pages"], page["total"])
            assert counted == (walk.index(page) + 1, len(everything), len(everything))
            assert "last" not in links or [item["id"] for item in lead(page, "last")["items"]] == everything[-1:]
            assert (lead(page, "prev") if "prev" in page["_links"] else None) == before
        else:
            assert page.get("total") is None
            assert "prev" not in page["_links"]


@each(o for o in LISTS if "page" in o.names("query"))
def test_beyond_the_end_nothing_is_listed_and_the_last_page_comes_before(reader, operation):
    path = reader.made(operation.path)
    (number,) = (p["schema"] for p in operation.parameters if p["name"] == "page")
    last = [answer.json() for answer in pages(reader.ask, operation, path=path, **LONGEST)][-1]
    for beyond in (last["pages"] + 1, number["maximum"]):
        page = reader.ask(operation, path=path, params={"page": beyond, **LONGEST}).json()
        assert (page["items"], page["total"], page["pages"]) == ([], last["total"], last["pages"])
        assert "next" not in page["_links"]
        assert reader.ask(operation, path=page["_links"]["prev"]["href"]).json() == last


@pytest.mark.parametrize(("operation", "start"), [walk for walk in WALKS if walk.values[0] in SORTED])
def test_order_is_the_one_that_was_asked_for_and_its_reverse(reader, operation, start):
    (sort,) = (operation.resolve(p["schema"])["enum"] for p in operation.parameters if p["name"] == "sort")
    for name in {name.removeprefix("-") for name in sort}:
        listed = [items(reader.ask, operation, sort=order, **start, **LONGEST) for order in (name, f"-{name}")]
        rising, falling = ([item for item in order if item[name] is not None] for order in listed)
        assert rising == sorted(rising, key=_order(name, rising))
        assert falling == rising[::-1]
        assert all(item[name] is None for order in listed for item in order[len(rising) :])


@pytest.mark.parametrize(("operation", "parameter"), FILTERED)
def test_page_says_what_was_asked_and_so_does_where_it_leads(reader, operation, parameter):
    name, path = parameter["name"], reader.made(operation.path)
    for page in islice(pages(reader.ask, operation, path=path, **{name: operation.sent(parameter)}, per_page=1), 2):
        assert page.json()[name] == operation.example(parameter["schema"])
        assert reader.ask(operation, path=page.json()["_links"]["self"]["href"]).json() == page.json()


def _order(name, listed):
    """What items are ordered by: a number, a moment or a text in any case, and then their ids."""
    for read in (Decimal, datetime.fromisoformat, casefold):
        try:
            values = {item["id"]: read(item[name]) for item in listed}
        except (InvalidOperation, ValueError):
            continue
        return lambda item: (values[item["id"]], item["id"])
    raise AssertionError(name)
