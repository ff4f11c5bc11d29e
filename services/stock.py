"""Units in stock: what an order takes, and what it gives back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, select, update
from sqlalchemy.orm import Session

from db.change_tracking import noted
from db.expressions import given
from db.models import Product
from db.prepared import compiled
from db.types import Identifier

Products = dict[UUID, dict[str, Any]]
"""Products by id: `sku`, `name`, `price` and `stock` of those that `take` took, `name` and `stock` of those `left`."""

_WANTED = given("wanted", product_id=Identifier(), units=Integer())
# Whoever moves several products waits for them in one order, so that no two wait for each other.
_LOCKED = (
    select(Product.id, _WANTED.c.units)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .order_by(Product.id)
    .with_for_update(of=Product, key_share=True)
    .cte("locked")
)


def _moved(*conditions: ColumnElement[bool]) -> compiled:
    """Move the wanted units from stock to what is sold; a negative number of them, back."""
    return compiled(
        update(Product)
        .where(Product.id == _LOCKED.c.id, *conditions)
        .values(
            stock=Product.stock - _LOCKED.c.units,
            units_sold=Product.units_sold + _LOCKED.c.units,
            version=Product.version + 1,
        )
        .returning(Product.id, Product.sku, Product.name, Product.price, Product.stock)
    )


_TAKE = _moved(Product.deleted_at.is_(None), Product.stock >= _LOCKED.c.units)
_GIVE_BACK = _moved()
_LEFT = compiled(
    select(Product.id, Product.name, Product.stock)
    .join(_WANTED, _WANTED.c.product_id == Product.id)
    .where(Product.deleted_at.is_(None))
)


def take(session: Session, units: Mapping[UUID, int]) -> Products:
    """
    Take units of each product, and return the products at the prices they have now.

    A product that is not there, or of which not enough is there, is not among them: then the
    unit of work must fail. Nobody changes these products before it ends.
    """
    return _move(session, _TAKE, units)


def give_back(session: Session, units: Mapping[UUID, int]) -> None:
    """Undo what was taken; a product that was deleted since has it when it is restored."""
    _move(session, _GIVE_BACK, {product_id: -number for product_id, number in units.items()})


def left(session: Session, units: Mapping[UUID, int]) -> Products:
    """Return name and stock of those of the products that there are."""
    return _by_id(_LEFT.all(session, wanted=_rows(units)))


def _move(session: Session, statement: compiled, units: Mapping[UUID, int]) -> Products:
    moved = _by_id(statement.all(session, wanted=_rows(units)))
    for product_id, number in units.items():
        if product := moved.get(product_id):
            noted(session, Product, product_id, {"stock": (product["stock"] + number, product["stock"])})
    return moved


def _rows(units: Mapping[UUID, int]) -> list[list[Any]]:
    return [[str(product_id), number] for product_id, number in units.items()]


def _by_id(products: list[dict[str, Any]]) -> Products:
    return {product["id"]: product for product in products}
