"""What the database refuses is named the same on both."""

from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from db.errors import violated_constraint
from db.models import Category, IdempotencyKey, Product, Tag
from tests.db.catalogue import BUTTER, GROCERIES, product


def add(row):
    return lambda session: session.add(row())


def execute(statement, *values):
    return lambda session: session.execute(statement, *values)


TWICE = [{"caller": "c", "operation": "o", "key": "k", "fingerprint": "f"}] * 2
REFUSED = {
    "unique": (add(lambda: product("BUTTER")), "uq_products_sku"),
    "primary key": (add(lambda: product("X", id=BUTTER)), "pk_products"),
    "primary key of several columns": (execute(insert(IdempotencyKey), TWICE), "pk_idempotency_keys"),
    "check": (add(lambda: product("X", price=Decimal(0))), "ck_products_price"),
    "another check": (add(lambda: product("X", stock=-1)), "ck_products_stock"),
    "reference to nothing": (add(lambda: product("X", category_id=UUID(int=9))), "fk_products_category_id"),
    "reference left behind": (execute(delete(Category)), "fk_products_category_id"),
    "unique ignoring case": (add(lambda: Category(name="g", name_key="groceries")), "uq_categories_name_key"),
    "null has no name": (execute(insert(Tag).values(name=None, name_key="x")), ""),
}


@pytest.mark.parametrize(("refused", "name"), REFUSED.values(), ids=REFUSED)
def test_the_constraint_is_named(tell, refused, name):
    def attempt(session):
        refused(session)
        session.flush()

    async def story(database):
        with pytest.raises(IntegrityError) as raised:
            await database.run("write", attempt)
        return violated_constraint(raised.value)

    assert tell(story) == name


def test_a_deleted_products_sku_is_free_again(tell):
    async def story(database):
        def replace(session):
            butter = session.get(Product, BUTTER)
            butter.deleted_at = butter.created_at
            session.flush()
            session.add(product("BUTTER"))

        await database.run("write", replace)

    tell(story)


def test_messages_do_not_show_values(tell):
    async def story(database):
        with pytest.raises(IntegrityError) as raised:
            await database.run(
                "write", lambda session: session.add(product("BUTTER", name="SECRET", category_id=GROCERIES))
            )
        return str(raised.value)

    assert "SECRET" not in tell(story)
