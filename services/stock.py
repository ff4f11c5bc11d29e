"""Stock of products. Orders reserve units, and release them when they are cancelled."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, select, update
from sqlalchemy.orm import Session

from db.change_tracking import record_change
from db.expressions import json_rows
from db.models import Product
from db.prepared import PreparedStatement, prepare
from db.types import Identifier

Products = dict[UUID, dict[str, Any]]
"""Products by id. `reserve` returns `sku`, `name`, `price` and `stock`; `available` returns `name` and `stock`."""

_WANTED = json_rows("wanted", product_id=Identifier(), quantity=Integer())
# Rows are locked in the order of their ids, so that two orders cannot deadlock.
_LOCKED = (
    select(Product.id, _WANTED.c.quantity)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .order_by(Product.id)
    .with_for_update(of=Product, key_share=True)
    .cte("locked")
)


def _prepare_move(*conditions: ColumnElement[bool]) -> PreparedStatement:
    """Return the statement that moves units from `stock` to `units_sold`, or back if the quantity is negative."""
    return prepare(
        update(Product)
        .where(Product.id == _LOCKED.c.id, *conditions)
        .values(
            stock=Product.stock - _LOCKED.c.quantity,
            units_sold=Product.units_sold + _LOCKED.c.quantity,
            version=Product.version + 1,
        )
        .returning(Product.id, Product.sku, Product.name, Product.price, Product.stock)
    )


_RESERVE = _prepare_move(Product.deleted_at.is_(None), Product.stock >= _LOCKED.c.quantity)
_RELEASE = _prepare_move()
_AVAILABLE = prepare(
    select(Product.id, Product.name, Product.stock)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .where(Product.deleted_at.is_(None))
)


def reserve(session: Session, quantities: Mapping[UUID, int]) -> Products:
    """
    Take units of each product from stock, and return the products with their current prices.

    A product that does not exist or has too few units is missing in the result. The caller must then roll back. The
    products are locked until the end of the transaction.
    """
    return _move(session, _RESERVE, quantities)


def release(session: Session, quantities: Mapping[UUID, int]) -> None:
    """Return units to stock. The products may have been deleted."""
    _move(session, _RELEASE, {product_id: -quantity for product_id, quantity in quantities.items()})


def available(session: Session, quantities: Mapping[UUID, int]) -> Products:
    """Return name and stock of the products that exist."""
    return _by_id(_AVAILABLE.all(session, wanted=[*quantities.items()]))


def _move(session: Session, statement: PreparedStatement, quantities: Mapping[UUID, int]) -> Products:
    moved = _by_id(statement.all(session, wanted=[*quantities.items()]))
    for product_id, quantity in quantities.items():
        if product := moved.get(product_id):
            record_change(session, Product, product_id, {"stock": (product["stock"] + quantity, product["stock"])})
    return moved


def _by_id(products: list[dict[str, Any]]) -> Products:
    return {product["id"]: product for product in products}
