"""Stock of products: the units that orders take, and give back when they are cancelled."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, select, update
from sqlalchemy.orm import Session

from db.change_tracking import record_change
from db.expressions import json_rows
from db.models import Product
from db.prepared import prepare
from db.types import Identifier

Products = dict[UUID, dict[str, Any]]
"""Products by id: `sku`, `name`, `price` and `stock` of those that `take` took, `name` and `stock` of those `left`."""

_WANTED = json_rows("wanted", product_id=Identifier(), units=Integer())
# Rows are locked in the order of their ids, so that two orders cannot deadlock.
_LOCKED = (
    select(Product.id, _WANTED.c.units)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .order_by(Product.id)
    .with_for_update(of=Product, key_share=True)
    .cte("locked")
)


def _moved(*conditions: ColumnElement[bool]) -> prepare:
    """Return the statement that moves units from stock to sold, or back if their number is negative."""
    return prepare(
        update(Product)
        .where(Product.id == _LOCKED.c.id, *conditions)
        .values(
            stock=Product.stock - _LOCKED.c.units,
            units_sold=Product.units_sold + _LOCKED.c.units,
            version=Product.version + 1,
        )
        .returning(Product.id, Product.sku, Product.name, Product.price, Product.stock)
    )


_RESERVE = _moved(Product.deleted_at.is_(None), Product.stock >= _LOCKED.c.units)
_RELEASE = _moved()
_AVAILABLE = prepare(
    select(Product.id, Product.name, Product.stock)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .where(Product.deleted_at.is_(None))
)


def reserve(session: Session, units: Mapping[UUID, int]) -> Products:
    """
    Take units of each product from stock, and return the products with their current prices.

    A product that does not exist, or has too few units, is missing in the result; the caller must then
    roll back. The products are locked until the end of the transaction.
    """
    return _move(session, _RESERVE, units)


def release(session: Session, units: Mapping[UUID, int]) -> None:
    """Return units to stock, also to products that are deleted by now."""
    _move(session, _RELEASE, {product_id: -number for product_id, number in units.items()})


def available(session: Session, units: Mapping[UUID, int]) -> Products:
    """Return name and stock of those products that exist."""
    return _by_id(_AVAILABLE.all(session, wanted=[*units.items()]))


def _move(session: Session, statement: prepare, units: Mapping[UUID, int]) -> Products:
    moved = _by_id(statement.all(session, wanted=[*units.items()]))
    for product_id, number in units.items():
        if product := moved.get(product_id):
            record_change(session, Product, product_id, {"stock": (product["stock"] + number, product["stock"])})
    return moved


def _by_id(products: list[dict[str, Any]]) -> Products:
    return {product["id"]: product for product in products}
