"""Values mean the same on both databases: moments are UTC, amounts exact, names fold alike."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from string import ascii_uppercase
from uuid import UUID

import pytest
from asyncpg.pgproto import pgproto
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from db.columns import new_id, utc_now
from db.models import Product
from db.text import casefold
from db.types import json_text
from tests.db.catalogue import BUTTER, product


def stored(tell, **fields):
    async def story(database):
        await database.run("write", lambda session: session.add(product("NEW", **fields)))
        return await database.run(
            "read", lambda session: session.scalars(select(Product).where(Product.sku == "NEW")).one()
        )

    return tell(story)


@pytest.mark.parametrize("text", ["0.01", "0.10", "50.00", "32999.99", "9999999999.99"])
def test_amounts_are_exact_and_have_two_places(tell, text):
    assert str(stored(tell, price=Decimal(text)).price) == text


def test_amounts_gain_their_two_places(tell):
    assert str(stored(tell, price=Decimal(5)).price) == "5.00"


def test_amounts_with_more_places_are_refused(tell):
    with pytest.raises(StatementError, match="two decimal places"):
        stored(tell, price=Decimal("1.005"))


def test_amounts_sort_and_compare_as_numbers(tell):
    prices = [Decimal(text) for text in ("9.99", "10.00", "100.50", "2.00")]

    async def story(database):
        def write(session):
            session.add_all([product(f"P{n}", price=price) for n, price in enumerate(prices)])

        await database.run("write", write)
        return await database.run(
            "read",
            lambda session: list(
                session.scalars(select(Product.price).where(Product.price > Decimal("2.00")).order_by(Product.price))
            ),
        )

    assert tell(story) == [Decimal("9.99"), Decimal("10.00"), Decimal("50.00"), Decimal("100.50")]


def test_moments_come_back_aware_and_in_utc(tell):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, timezone(timedelta(hours=5, minutes=30)))
    created = stored(tell, created_at=moment).created_at
    assert created == moment
    assert created.utcoffset() == timedelta(0)
    assert created.tzinfo is UTC


def test_naive_moments_are_refused(tell):
    with pytest.raises(StatementError, match="time zone"):
        stored(tell, created_at=datetime(2026, 1, 2))  # noqa: DTZ001  # That is the point.


def test_moments_sort_by_time_whatever_their_zone(tell):
    early = datetime(2026, 1, 2, 5, 0, tzinfo=timezone(timedelta(hours=5)))
    late = datetime(2026, 1, 2, 0, 0, 0, 1, tzinfo=UTC)

    async def story(database):
        def write(session):
            session.add_all([product("LATE", created_at=late), product("EARLY", created_at=early)])

        await database.run("write", write)
        return await database.run(
            "read",
            lambda session: list(
                session.scalars(select(Product.sku).where(Product.created_at <= late).order_by(Product.created_at))
            ),
        )

    assert tell(story) == ["EARLY", "LATE"]


def test_ids_are_uuids_on_either_side(tell):
    async def story(database):
        return await database.run("read", lambda session: session.scalars(select(Product.id)).one())

    id_ = tell(story)
    assert isinstance(id_, UUID)
    assert id_ == BUTTER


def test_new_ids_sort_by_time():
    ids = [new_id() for _ in range(1000)]
    assert {id_.version for id_ in ids} == {7}
    assert ids == sorted(ids)


def test_now_is_aware():
    assert utc_now().tzinfo is UTC


def test_an_update_notes_its_time_and_version(tell):
    async def story(database):
        def change(session):
            session.get(Product, BUTTER).stock = 3

        before = await database.run("read", lambda session: session.get(Product, BUTTER))
        await database.run("write", change)
        return before, await database.run("read", lambda session: session.get(Product, BUTTER))

    before, after = tell(story)
    assert (before.version, after.version) == (1, 2)
    assert after.updated_at > before.updated_at


@pytest.mark.parametrize(
    ("one", "other"),
    [("AMUL", "amul"), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("ﬁne", "FINE"), ("é", "É"), ("Ⅷ", "viii")],
)
def test_text_that_differs_in_case_only_folds_alike(one, other):
    assert casefold(one) == casefold(other) == casefold(casefold(one))


def test_folded_text_has_no_ascii_capitals():
    """Otherwise LIKE, which on SQLite takes them for small letters, would find more there than on PostgreSQL."""
    characters = map(chr, [*range(0xD800), *range(0xE000, 0x110000)])
    assert not [one for one in characters if not set(ascii_uppercase).isdisjoint(casefold(one))]


def test_folded_text_sorts_by_code_point(tell):
    names = ["a b", "ab", "a-b", "z", "é", "_"]

    async def story(database):
        await database.run(
            "write", lambda session: session.add_all([product(f"N{i}", name=n) for i, n in enumerate(names)])
        )
        return await database.run(
            "read", lambda session: list(session.scalars(select(Product.name_key).order_by(Product.name_key)))
        )

    assert [name for name in tell(story) if name in names] == sorted(names)


def test_uuids_are_json_also_those_of_the_driver():
    assert json_text([pgproto.UUID(str(UUID(int=1))), UUID(int=2)]) == f'["{UUID(int=1)}","{UUID(int=2)}"]'
    with pytest.raises(TypeError, match="not JSON"):
        json_text([object()])
