"""Cursors go over every row once, in order, whatever comes and goes meanwhile."""

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.models import Product
from db.pagination import CursorSigner
from services import categories, products
from tests.support.examples import examples

CURSORS = CursorSigner(lambda: b"a secret of this test")
SORTS = {"name": Product.name_key, "price": Product.price, "stock": Product.stock, "created_at": Product.created_at}
BOTH_WAYS = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]

ROWS = st.tuples(st.sampled_from(["Salt", "salt", "Tea"]), st.sampled_from(["1.00", "10.00"]), st.integers(0, 2))
"""Fewer values than rows, so that many are equal in what they are ordered by."""
CHANGES = st.lists(st.one_of(ROWS, st.integers(0, 9)), max_size=3)
"""What happens between two pages: a row comes, or one of those that there are goes."""


class Shelf:
    """The products of a category that has nothing in it yet."""

    def __init__(self, service):
        self.service = service
        self.category_id = service(categories.create, name=f"Category {uuid4()}", description=None).id

    def put(self, session, name, price, stock):
        members = {"name": name, "price": Decimal(price), "stock": stock, "category_id": self.category_id}
        return products.create(session, sku=f"L-{uuid4().hex[:20].upper()}", description=None, tags=[], **members)["id"]

    def page(self, session, sort, cursor, per_page):
        return products.find(
            session, CURSORS, sort=sort, page=1, per_page=per_page, cursor=cursor, category=self.category_id
        )

    def ordered(self, session, sort):
        """What every row is ordered by, in its order, as Python has it."""
        where = Product.category_id == self.category_id, Product.deleted_at.is_(None)
        found = session.execute(select(SORTS[sort.removeprefix("-")], Product.id).where(*where))
        return sorted((tuple(row) for row in found), reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", BOTH_WAYS)
@settings(max_examples=examples(8), deadline=None)
@given(
    first=st.lists(ROWS, min_size=1, max_size=8),
    meanwhile=st.lists(CHANGES, max_size=5),
    per_page=st.integers(1, 3),
)
def test_page_has_what_follows_at_that_moment(service, sort, first, meanwhile, per_page):
    shelf, cursor, last = Shelf(service), "*", None
    for row in first:
        service(shelf.put, *row)
    for happening in [*meanwhile, *[()] * 20]:
        there = service(shelf.ordered, sort)
        following = there if last is None else [row for row in there if (row < last if sort[0] == "-" else row > last)]
        page = service(shelf.page, sort, cursor, per_page)
        assert [_id(item) for item in page["items"]] == [which for _, which in following[:per_page]]
        assert (page["next_cursor"] is None) == (len(following) <= per_page)
        if page["next_cursor"] is None:
            return
        cursor, last = page["next_cursor"], following[per_page - 1]
        for change in happening:
            if isinstance(change, tuple):
                service(shelf.put, *change)
            elif there := service(shelf.ordered, sort):
                service(products.delete, there[change % len(there)][1])
    pytest.fail("The pages do not end.")


@pytest.mark.parametrize("sort", BOTH_WAYS)
def test_every_row_comes_once_while_four_add_more(service, sort):
    shelf = Shelf(service)
    first = [UUID(str(service(shelf.put, "Tea", "10.00", n % 3))) for n in range(20)]

    async def add(price):
        for n in range(5):
            await service.doing(shelf.put, "Salt" if n % 2 else "Vanilla", price, n)

    async def walk():
        cursor, seen = "*", []
        while cursor:
            page = await service.doing(shelf.page, sort, cursor, 3)
            seen += [_id(item) for item in page["items"]]
            cursor = page["next_cursor"]
        return seen

    async def at_once():
        seen, *_ = await asyncio.gather(walk(), *(add(price) for price in ("1.00", "10.00", "11.00", "10.00")))
        return seen

    seen = service.runner.run(at_once())
    assert len(seen) == len(set(seen))
    assert set(first) <= set(seen)


def _id(item):
    return UUID(str(item["id"]))
