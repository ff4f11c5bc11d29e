"""Orders: placing, changing, status transitions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, insert, select, type_coerce
from sqlalchemy.orm import Session

from accord.errors import Conflict, Invalid, ServiceError, require
from accord.identity.callers import Everyone, owned_by, owner_filter
from db.change_tracking import record_change
from db.columns import new_id, utc_now
from db.expressions import json_rows, upsert
from db.list_query import ListQuery, filter_values
from db.models import Order, OrderCounter, OrderItem, Product, User
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.rows import assign, load_live
from db.types import Identifier
from services import customers, stock

_MEMBERS = ("id", "number", "customer_id", "total", "status", "note", "created_at", "updated_at")
_PLACED, _CANCELLED = "pending", "cancelled"
_TRANSITIONS = {_PLACED: {"paid", _CANCELLED}, "paid": {"shipped", _CANCELLED}, "shipped": {"delivered"}}


def _select_order(order: Any) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of orders with their owners, from the table or an alias of a part of it."""
    columns = (getattr(order, name) for name in _MEMBERS)
    owner_columns = (User.id.label("owner__id"), User.username.label("owner__username"))
    return select(*columns, *owner_columns).join(User, User.id == order.owner_id)


_FILTERS = {
    "user_id": Order.owner_id,
    "status": Order.status,
    "from": lambda moment: Order.created_at >= moment,
    "to": lambda moment: Order.created_at < moment,
}
_ORDERS = ListQuery(Order, _select_order, _FILTERS)
_ORDER = prepare(_select_order(Order).where(Order.id == bindparam("id")))
_ORDER_IDS = json_rows("orders", id=Identifier())
_ITEMS = prepare(
    select(
        OrderItem.order_id,
        Product.id.label("product__id"),
        Product.sku.label("product__sku"),
        Product.name.label("product__name"),
        OrderItem.quantity,
        OrderItem.unit_price,
        type_coerce(OrderItem.unit_price * OrderItem.quantity, Order.total.type).label("amount"),
    )
    .join(Product, Product.id == OrderItem.product_id)
    .join(_ORDER_IDS, _ORDER_IDS.c.id == OrderItem.order_id)
    .order_by(OrderItem.order_id, OrderItem.position)
)


_OWNER_COLUMNS = [
    select(column).where(User.id == bindparam("owner_id")).scalar_subquery().label(f"owner__{column.key}")
    for column in (User.id, User.username)
]
_COUNT = prepare(
    upsert(OrderCounter)
    .values(orders=1)
    .on_conflict_do_update(index_elements=[OrderCounter.year], set_={"orders": OrderCounter.orders + 1})
    .returning(OrderCounter.orders, *_OWNER_COLUMNS),
    values=["year"],
)
_INSERT = prepare(insert(Order), values=[*_MEMBERS, "owner_id"])
_INSERT_ITEM = prepare(insert(OrderItem), values=["order_id", "position", "product_id", "quantity", "unit_price"])


def find(
    session: Session, cursors: CursorSigner, owner: UUID | Everyone, *, cursor: str, per_page: int, **filters: Any
) -> Page:
    """Return the page after *cursor* of the orders of *owner* that match, newest first. Raises InvalidCursor."""
    query = {**owner_filter("user_id", owner), **filters}
    page = _ORDERS.page_after(session, cursors, filter_values(**query), query, cursor=cursor, per_page=per_page)
    page["items"] = _with_items(session, page["items"])
    return page


def get(session: Session, owner: UUID | Everyone, order_id: UUID) -> dict[str, Any]:
    """Return the order with its items if it belongs to *owner*; raises NotFound."""
    order = _ORDER.first(session, id=order_id)
    visible = order if order and owned_by(order["owner"]["id"], owner) else None
    return _with_items(session, [require("order", visible)])[0]


def place(
    session: Session,
    owner_id: UUID,
    *,
    items: Sequence[dict[str, Any]],
    customer_id: UUID | None = None,
    note: str | None = None,
    may_reference_customers: bool = True,
) -> dict[str, Any]:
    """
    Place an order and take its items, each `product_id` and `quantity`, from stock.

    Raises Invalid or Conflict with an error for each item that cannot be ordered. Without *may_reference_customers*,
    every `customer_id` is unknown.
    """
    quantities = _quantities((item["product_id"], item["quantity"]) for item in items)
    reserved = stock.reserve(session, quantities)
    missing = {product_id: quantity for product_id, quantity in quantities.items() if product_id not in reserved}
    errors = [
        *_customer_errors(session, customer_id, may_reference_customers),
        *_item_errors(session, items, missing),
    ]
    if errors:
        raise _combine_errors(errors)
    representations = [_item_representation(reserved[item["product_id"]], item["quantity"]) for item in items]
    order_id, moment = new_id(), utc_now()
    # The counter stays locked until the commit, so this comes after every step that may be slow or fail.
    counted = _COUNT.first(session, year=moment.year, owner_id=owner_id)
    assert counted
    members = {
        "number": f"{moment.year}-{counted['orders']:06}",
        "owner_id": owner_id,
        "customer_id": customer_id,
        "status": _PLACED,
        "note": note,
        "total": sum((each["amount"] for each in representations), Decimal()),
    }
    order = members | {"id": order_id, "created_at": moment, "updated_at": moment}
    _INSERT.execute_later(session, [order])
    _INSERT_ITEM.execute_later(
        session,
        [
            {"order_id": order_id, "position": position, "unit_price": each["unit_price"], **item}
            for position, (item, each) in enumerate(zip(items, representations, strict=True))
        ],
    )
    members["items"] = [f"{each['quantity']} of {each['product']['sku']}" for each in representations]
    record_change(session, Order, order_id, {name: (None, value) for name, value in members.items()})
    return {name: order[name] for name in _MEMBERS} | {"owner": counted["owner"], "items": representations}


def update(
    session: Session, owner: UUID | Everyone, order_id: UUID, *, may_reference_customers: bool, **changes: Any
) -> dict[str, Any]:
    """Change members of the order if it belongs to *owner*; raises NotFound, and Invalid for an unknown customer."""
    order = _load(session, owner, order_id)
    error = next(_customer_errors(session, changes.get("customer_id"), may_reference_customers), None)
    if error:
        raise error
    assign(order, changes)
    session.flush()
    return get(session, owner, order_id)


def set_status(session: Session, owner: UUID | Everyone, order_id: UUID, status: str) -> dict[str, Any]:
    """Change the status. A cancellation returns the items to stock. Raises NotFound, Conflict for other transitions."""
    order = _load(session, owner, order_id)
    if status not in _TRANSITIONS.get(order.status, ()):
        raise Conflict(f"An order with status {order.status} cannot change to {status}.")
    order.status = status
    session.flush()
    if status == _CANCELLED:
        stock.release(session, _quantities((item.product_id, item.quantity) for item in order.items))
    return get(session, owner, order_id)


def cancel(session: Session, owner: UUID | Everyone, order_id: UUID) -> dict[str, Any]:
    """Cancel the order, as `set_status` does."""
    return set_status(session, owner, order_id, _CANCELLED)


def _with_items(session: Session, orders: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    items: dict[UUID, list[dict[str, Any]]] = {order["id"]: [] for order in orders}
    for item in _ITEMS.all(session, orders=[[order_id] for order_id in items]):
        items[item.pop("order_id")].append(item)
    return [order | {"items": items[order["id"]]} for order in orders]


def _item_representation(product: Mapping[str, Any], quantity: int) -> dict[str, Any]:
    """Return the representation of an item of a new order; *product* comes from `stock.reserve`."""
    return {
        "product": {name: product[name] for name in ("id", "sku", "name")},
        "quantity": quantity,
        "unit_price": product["price"],
        "amount": product["price"] * quantity,
    }


def _load(session: Session, owner: UUID | Everyone, order_id: UUID) -> Order:
    order = load_live(session, Order, order_id)
    return require("order", order if order and owned_by(order.owner_id, owner) else None)


def _quantities(items: Iterable[tuple[UUID, int]]) -> Counter[UUID]:
    """Return the total quantity of each product. Several items can have the same product."""
    quantities: Counter[UUID] = Counter()
    for product_id, quantity in items:
        quantities[product_id] += quantity
    return quantities


def _customer_errors(session: Session, customer_id: UUID | None, may_reference_customers: bool) -> Iterator[Invalid]:
    if customer_id is not None and not (may_reference_customers and customers.exists(session, customer_id)):
        yield Invalid("There is no customer with this id.", pointer="/customer_id")


def _item_errors(session: Session, items: Sequence[dict[str, Any]], missing: dict[UUID, int]) -> Iterator[ServiceError]:
    available = stock.available(session, missing) if missing else {}
    for position, item in enumerate(items):
        product = available.get(item["product_id"])
        if product:
            yield Conflict(_describe_stock(product["name"], product["stock"]), pointer=f"/items/{position}/quantity")
        elif item["product_id"] in missing:
            yield Invalid("There is no product with this id.", pointer=f"/items/{position}/product_id")


def _describe_stock(name: str, quantity: int) -> str:
    return f"Only {quantity} of {name} {'is' if quantity == 1 else 'are'} left." if quantity else f"{name} is sold out."


def _combine_errors(errors: Sequence[ServiceError]) -> ServiceError:
    """Return one error with all *errors*: Invalid if one of them is, or else Conflict."""
    error_type = Invalid if any(isinstance(error, Invalid) for error in errors) else Conflict
    messages = {str(error) for error in errors}
    message = messages.pop() if len(messages) == 1 else "The order has errors; see `errors`."
    return error_type(message, errors=errors)
