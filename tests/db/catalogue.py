"""A small shop, and what can be done in it."""

import asyncio
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from db.models import Category, Product
from db.text import casefold

GROCERIES = UUID(int=1)
BUTTER = UUID(int=2)


def product(sku="BUTTER", **fields):
    name = fields.setdefault("name", "Amul Butter")
    given = {"price": Decimal("50.00"), "stock": 100, "category_id": GROCERIES} | fields
    return Product(sku=sku, name_key=casefold(name), search=casefold(name), **given)


def fill(session):
    session.add(Category(id=GROCERIES, name="Groceries", name_key="groceries"))
    session.flush()
    session.add(product(id=BUTTER))


def meanwhile(coroutine, loop):
    """Await something in the middle of a unit of work, in a greenlet or in a thread."""
    if in_greenlet():
        return await_only(coroutine)
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def stock(session):
    return session.scalar(select(Product.stock).where(Product.id == BUTTER))


def skus(session):
    return list(session.scalars(select(Product.sku).order_by(Product.sku)))


def count(session):
    return session.scalar(select(func.count()).select_from(Product))


def take_one(session):
    """Take one from stock as services do: read, look, write."""
    butter = session.get(Product, BUTTER)
    butter.stock -= 1
    session.flush()
    return butter.stock
