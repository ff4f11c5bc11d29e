"""Rows are loaded by id and written with an error for each constraint."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db.columns import new_id, utc_now
from db.models import Category, Product
from db.rows import RowUpdate, assign, flush, flush_unique, load_deleted, load_live, translate_violations
from tests.db.catalogue import BUTTER, GROCERIES, meanwhile, product, stock

SKU = {"sku": ("uq_products_sku", Product.sku)}


class Refused(Exception):
    """What a service raises."""


def written(tell, perform):
    async def story(database):
        return await database.run("write", perform)

    return tell(story)


def test_row_is_live_until_it_is_deleted(tell):
    def perform(session):
        butter = load_live(session, Product, BUTTER)
        assert load_deleted(session, Product, BUTTER) is None
        butter.deleted_at = utc_now()
        session.flush()
        assert load_live(session, Product, BUTTER) is None
        assert load_deleted(session, Product, BUTTER) is butter
        assert load_live(session, Product, new_id()) is load_deleted(session, Product, new_id()) is None

    written(tell, perform)


def test_row_that_cannot_be_marked_as_deleted_is_live(tell):
    def perform(session):
        assert load_live(session, Category, GROCERIES).name == "Groceries"
        assert load_deleted(session, Category, GROCERIES) is None

    written(tell, perform)


class TestRowUpdate:
    RESTOCK = RowUpdate(Product, "stock", "name")

    def test_each_update_knows_the_values_before_it(self, tell):
        """They are the values that the update before it has written, however many run at once."""

        def restock(number, loop, session):
            before = self.RESTOCK.apply(session, BUTTER, {"stock": number})
            meanwhile(asyncio.sleep(0.002), loop)
            return before["stock"]

        async def story(database):
            loop, numbers = asyncio.get_running_loop(), range(1000, 1020)
            before = await asyncio.gather(*(database.run("write", restock, number, loop) for number in numbers))
            return sorted([*before, await database.run("read", stock)]), [100, *numbers]

        actual, expected = tell(story)
        assert actual == expected

    def test_same_values_are_not_written(self, tell):
        def perform(session):
            versions = select(Product.version, Product.updated_at)
            before = session.execute(versions).one()
            assert self.RESTOCK.apply(session, BUTTER, {"stock": 100}) == {"stock": 100, "name": "Amul Butter"}
            assert session.changes == []
            assert session.execute(versions).one() == before
            self.RESTOCK.apply(session, BUTTER, {"stock": 100, "name": "Ghee"})
            assert [change.members for change in session.changes] == [{"name": ("Amul Butter", "Ghee")}]
            assert session.execute(versions).one().version == before.version + 1

        written(tell, perform)

    def test_only_live_rows_are_found(self, tell):
        def perform(session):
            assert self.RESTOCK.apply(session, new_id(), {"stock": 1}) is None
            load_live(session, Product, BUTTER).deleted_at = utc_now()
            assert self.RESTOCK.apply(session, BUTTER, {"stock": 1}) is None
            assert stock(session) == 100

        written(tell, perform)


def test_violation_is_the_error_of_its_constraint(tell):
    def perform(session, constraints):
        session.add(product())
        flush(session, constraints)

    with pytest.raises(Refused, match="taken") as refused:
        written(tell, lambda session: perform(session, {"uq_products_sku": partial(Refused, "taken")}))
    assert isinstance(refused.value.__cause__, IntegrityError)
    with pytest.raises(IntegrityError):
        written(tell, lambda session: perform(session, {"fk_products_category_id": Refused}))


def test_statement_is_translated_as_a_flush_is(tell):
    def perform(session):
        butter = load_live(session, Product, BUTTER)
        assign(butter, {"category_id": new_id(), "stock": 5})
        with translate_violations({"fk_products_category_id": Refused}):
            session.flush()

    with pytest.raises(Refused):
        written(tell, perform)


def test_every_taken_value_is_named(tell):
    def perform(session):
        rows = {f"/{n}": product(sku, id=new_id()) for n, sku in enumerate(["TEA", "BUTTER", "SALT", "TEA"])}
        session.add_all(rows.values())
        with pytest.raises(Refused) as refused:
            flush_unique(session, rows, SKU, Refused)
        assert refused.value.args[0] == [("/1", "sku"), ("/3", "sku")]
        # Its own value does not refuse a row.
        butter = load_live(session, Product, BUTTER)
        assign(butter, {"name": "Butter"})
        flush_unique(session, {"": butter}, SKU, Refused)

    written(tell, perform)
