"""Rows are loaded by id and written with an error for each constraint."""

from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from db.columns import new_id, utc_now
from db.models import Category, Product
from db.rows import assign, flush, flush_unique, load_deleted, load_live, translate_violations
from tests.db.catalogue import BUTTER, GROCERIES, product

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
