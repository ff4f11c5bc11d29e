"""An order with an idempotency key, in one transaction; for the peers that use SQLAlchemy."""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from models import IdempotencyKey, Order, OrderCounter, OrderItem, Product, User, now
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

OPERATION = "create_order"
UPSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class OrderError(Exception):
    """An order that cannot be placed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def place_order(
    session: Session,
    owner_id: UUID,
    key: str,
    request: bytes,
    items: Sequence[tuple[UUID, int]],
    note: str | None,
    dump: Callable[[dict[str, Any]], bytes],
) -> bytes:
    """
    Place an order and return its representation, as `dump` writes it; or return the stored one of the same key.

    The key comes first: it takes SQLite's write lock, so that what is read afterwards is current.
    """
    fingerprint = sha256(request).hexdigest()
    stored = IdempotencyKey(
        caller=str(owner_id), operation=OPERATION, key=key, fingerprint=fingerprint, created_at=now()
    )
    session.add(stored)
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        stored = session.get_one(IdempotencyKey, (str(owner_id), OPERATION, key))
        if stored.fingerprint != fingerprint:
            raise OrderError(422, "This key was used for another request") from None
        return stored.body
    try:
        stored.status, stored.headers = 201, []
        stored.body = dump(_place(session, owner_id, items, note))
        session.commit()
    except OrderError:
        session.rollback()
        raise
    return stored.body


def _place(session: Session, owner_id: UUID, items: Sequence[tuple[UUID, int]], note: str | None) -> dict[str, Any]:
    quantities: Counter[UUID] = Counter()
    for product_id, quantity in items:
        quantities[product_id] += quantity
    statement = (
        select(Product)
        .where(Product.id.in_(list(quantities)), Product.deleted_at.is_(None))
        .order_by(Product.id)
        .with_for_update(of=Product, key_share=True)
        .options(undefer(Product.units_sold))
    )
    products = {product.id: product for product in session.scalars(statement)}
    moment = now()
    for product_id, quantity in quantities.items():
        product = products.get(product_id)
        if product is None:
            raise OrderError(422, "No such product")
        if product.stock < quantity:
            raise OrderError(409, f"Only {product.stock} of {product.name} are left")
        product.stock -= quantity
        product.units_sold += quantity
        product.version += 1
        product.updated_at = moment
    owner = session.get_one(User, owner_id)
    upsert = UPSERTS[session.get_bind().dialect.name](OrderCounter).values(year=moment.year, orders=1)
    number = session.scalar(
        upsert.on_conflict_do_update(
            index_elements=[OrderCounter.year], set_={"orders": OrderCounter.orders + 1}
        ).returning(OrderCounter.orders)
    )
    order = Order(
        number=f"{moment.year}-{number:06}",
        owner_id=owner_id,
        status="pending",
        note=note,
        total=sum((products[product_id].price * quantity for product_id, quantity in items), Decimal()),
        items=[
            OrderItem(position=position, product_id=product_id, quantity=quantity, unit_price=products[product_id].price)
            for position, (product_id, quantity) in enumerate(items)
        ],
        created_at=moment,
        updated_at=moment,
    )
    session.add(order)
    session.flush()
    return {
        "id": order.id,
        "number": order.number,
        "owner": {"id": owner.id, "username": owner.username},
        "customer_id": None,
        "items": [
            {
                "product": {"id": product_id, "sku": products[product_id].sku, "name": products[product_id].name},
                "quantity": quantity,
                "unit_price": products[product_id].price,
                "amount": products[product_id].price * quantity,
            }
            for product_id, quantity in items
        ],
        "total": order.total,
        "status": order.status,
        "note": order.note,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }
