"""The requests that are measured, and the correct response to each."""

import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bench.databases import ADMIN, ADMIN_ID, NEW, PRODUCTS, Shop
from bench.servers import Server, WrongResponse

PER_PAGE = 20
ITEMS = 3
"""Number of items of an order."""

_AT_ONCE = 8
"""Number of requests at the same time that compete for units, or that have the same idempotency key."""

_UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
_PRODUCT = {
    "name": "Copper kettle",
    "description": "Whistles when the water boils, and keeps quiet otherwise.",
    "price": "1249.50",
    "stock": 12,
}


@dataclass(frozen=True)
class Workload:
    """Requests of one kind or a mixture. The responses must have one of `statuses`."""

    name: str
    title: str
    statuses: tuple[int, ...]
    messages: Callable[[Server, Shop], Iterator[bytes]]
    check: Callable[[Server, Shop], None]
    writes: bool = False


def check_refusals(server: Server, shop: Shop) -> None:
    """
    Raise WrongResponse if the server accepts an invalid request, because it would then do less work.

    Orders at the same time may not take more units than there are, and requests with the same key place one order. The
    database then has orders, which the caller deletes.
    """
    products, orders = f"{server.peer.prefix}/products", f"{server.peer.prefix}/orders"
    valid, order = _new_product(shop), _new_order(shop)
    items = order["items"]
    for what, status, (method, path, token, key, body) in (
        ("an unknown product", 404, ("GET", f"{products}/{_UNKNOWN_ID}", "", "", None)),
        ("a product without a token", 401, ("POST", products, "", "", valid)),
        ("a forged token", 401, ("POST", products, server.token[:-6] + "AAAAAA", "", valid)),
        ("a price of zero", 422, ("POST", products, server.token, "", valid | {"price": "0.00"})),
        ("a short SKU", 422, ("POST", products, server.token, "", valid | {"sku": "A"})),
        ("an unknown category", 422, ("POST", products, server.token, "", valid | {"category_id": _UNKNOWN_ID})),
        ("a SKU that is taken", 409, ("POST", products, server.token, "", valid | {"sku": shop.sku})),
        ("an order without a token", 401, ("POST", orders, "", _new_key(), order)),
        ("an order without a key", 422, ("POST", orders, server.token, "", order)),
        ("an order without items", 422, ("POST", orders, server.token, _new_key(), {"items": []})),
        ("a quantity of zero", 422, ("POST", orders, server.token, _new_key(), _with_quantity(items, 0))),
        ("an order of an unknown product", 422, ("POST", orders, server.token, _new_key(), _of_unknown(items))),
    ):
        actual_status, content = server.ask(method, path, token=token, key=key, body=body)
        # Some frameworks respond 400 to an invalid body, others 422.
        if actual_status != status and (actual_status, status) != (400, 422):
            raise WrongResponse(f"{server.peer.name}: {what} should be {status}, not {actual_status}: {content}")
    _check_stock(server, shop)
    _check_keys(server, shop)


def _check_stock(server: Server, shop: Shop) -> None:
    """Order a product several times at the same time. There are units for three of these orders."""
    product = next(product for product in shop.products.values() if 12 <= product["stock"] <= 500)
    order = {"items": [{"product_id": product["id"], "quantity": product["stock"] // 3}]}
    statuses = sorted(status for status, _ in _order_at_once(server, [(_new_key(), order) for _ in range(_AT_ONCE)]))
    left = server.ask("GET", f"{server.peer.prefix}/products/{product['id']}")[1]["stock"]
    if statuses != [201] * 3 + [409] * (_AT_ONCE - 3) or left != product["stock"] % 3:
        raise WrongResponse(f"{server.peer.name}: orders of {product['stock']} units: {statuses}, {left} are left.")


def _check_keys(server: Server, shop: Shop) -> None:
    """Send an order several times at the same time and once more, and another order with its key."""
    key, order = _new_key(), _new_order(shop)
    responses = _order_at_once(server, [(key, order)] * _AT_ONCE)
    repeated = server.ask("POST", f"{server.peer.prefix}/orders", token=server.token, key=key, body=order)
    # A request may be refused while another one with its key is in progress.
    placed = [content for status, content in [*responses, repeated] if status == 201]
    if repeated[0] != 201 or any(content != placed[0] for content in placed):
        raise WrongResponse(f"{server.peer.name}: requests with the same key placed several orders: {responses}")
    other = _with_quantity(order["items"], 2)
    status, content = server.ask("POST", f"{server.peer.prefix}/orders", token=server.token, key=key, body=other)
    if status not in (409, 422):
        raise WrongResponse(f"{server.peer.name}: another order with a used key should be 422, not {status}: {content}")


def _order_at_once(server: Server, orders: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, Any]]:
    def place(key: str, order: dict[str, Any]) -> tuple[int, Any]:
        return server.ask("POST", f"{server.peer.prefix}/orders", token=server.token, key=key, body=order)

    with ThreadPoolExecutor(len(orders)) as pool:
        return list(pool.map(place, *zip(*orders, strict=True)))


def _messages_by_id(server: Server, shop: Shop) -> Iterator[bytes]:
    ids = random.Random(0).sample(sorted(shop.products), 1000)
    return itertools.cycle([message("GET", f"{server.peer.prefix}/products/{product_id}") for product_id in ids])


def _check_by_id(server: Server, shop: Shop) -> None:
    product_id = random.choice(sorted(shop.products))
    _expect(server, *server.ask("GET", f"{server.peer.prefix}/products/{product_id}"), 200, shop.products[product_id])


def _page(server: Server, page: int) -> str:
    return f"{server.peer.prefix}/products?page={page}&per_page={PER_PAGE}&sort=price"


def _messages_list(server: Server, _: Shop) -> Iterator[bytes]:
    return itertools.cycle([message("GET", _page(server, page)) for page in range(1, 26)])


def _check_list(server: Server, shop: Shop) -> None:
    page = random.randint(1, 25)
    by_price = sorted(shop.products.values(), key=lambda product: (float(product["price"]), product["id"]))
    status, content = server.ask("GET", _page(server, page))
    _expect(server, status, {"total": content.get("total")}, 200, {"total": PRODUCTS})
    expected = by_price[(page - 1) * PER_PAGE : page * PER_PAGE]
    for item, product in zip(content["items"], expected, strict=True):
        _expect(server, status, item, 200, product)


def _new_product(shop: Shop) -> dict[str, Any]:
    return {"sku": f"{NEW}{secrets.token_hex(8).upper()}", **_PRODUCT, "category_id": shop.category["id"]}


def _messages_create(server: Server, shop: Shop) -> Iterator[bytes]:
    body = json.dumps(_new_product(shop)).encode()
    sku = _new_product(shop)["sku"].encode()
    whole = message("POST", f"{server.peer.prefix}/products", token=server.token, body=body)
    head, tail = whole.split(body[9 : 9 + len(sku)])
    series, prefix = secrets.token_hex(4).upper().encode(), NEW.encode()
    return (b"%b%b%b%08X%b" % (head, prefix, series, number, tail) for number in itertools.count())


def _check_create(server: Server, shop: Shop) -> None:
    body = _new_product(shop)
    status, content = server.ask("POST", f"{server.peer.prefix}/products", token=server.token, body=body)
    generated = {name: content.get(name) for name in ("id", "created_at", "updated_at")}
    expected = {**body, **generated, "category": shop.category, "tags": []}
    del expected["category_id"]
    _expect(server, status, content, 201, expected)


def _new_key() -> str:
    return secrets.token_hex(16)


def _new_order(shop: Shop) -> dict[str, Any]:
    products = random.sample(shop.stocked, ITEMS)
    return {"items": [{"product_id": product_id, "quantity": 1 + n} for n, product_id in enumerate(products)]}


def _with_quantity(items: list[dict[str, Any]], quantity: int) -> dict[str, Any]:
    return {"items": [item | {"quantity": quantity} for item in items]}


def _of_unknown(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": [*items[:-1], items[-1] | {"product_id": _UNKNOWN_ID}]}


def _messages_order(server: Server, shop: Shop) -> Iterator[bytes]:
    path = f"{server.peer.prefix}/orders"
    series = secrets.token_hex(8)
    placeholder = f"{series}-{0:08x}"
    messages = [
        message("POST", path, token=server.token, key=placeholder, body=json.dumps(_new_order(shop)).encode())
        for _ in range(1000)
    ]
    parts = [each.split(placeholder.encode()) for each in messages]
    return (
        b"%b%b-%08x%b" % (head, series.encode(), number, tail)
        for number, (head, tail) in enumerate(itertools.cycle(parts))
    )


def _check_order(server: Server, shop: Shop) -> None:
    order, key = _new_order(shop), _new_key()
    status, content = server.ask("POST", f"{server.peer.prefix}/orders", token=server.token, key=key, body=order)
    generated = {name: content.get(name) for name in ("id", "number", "created_at", "updated_at")}
    items = [_item(shop.products[item["product_id"]], item["quantity"]) for item in order["items"]]
    expected = {
        **generated,
        "owner": {"id": str(ADMIN_ID), "username": ADMIN["username"]},
        "customer_id": None,
        "items": items,
        "total": str(sum(Decimal(item["amount"]) for item in items)),
        "status": "pending",
        "note": None,
    }
    _expect(server, status, content, 201, expected)
    for item in order["items"]:
        left = server.ask("GET", f"{server.peer.prefix}/products/{item['product_id']}")[1]["stock"]
        if left != (stock := shop.products[item["product_id"]]["stock"] - item["quantity"]):
            raise WrongResponse(f"{server.peer.name}: after an order the stock is {left} instead of {stock}.")


def _item(product: dict[str, Any], quantity: int) -> dict[str, Any]:
    return {
        "product": {name: product[name] for name in ("id", "sku", "name")},
        "quantity": quantity,
        "unit_price": product["price"],
        "amount": str(Decimal(product["price"]) * quantity),
    }


def _messages_mixed(server: Server, shop: Shop) -> Iterator[bytes]:
    """Of 50 requests, 45 are by id, 4 are lists, 1 is a create. All products and all their pages have their turn."""
    pages = itertools.cycle(range(1, PRODUCTS // PER_PAGE + 1))
    sources = {
        "by_id": (message("GET", f"{server.peer.prefix}/products/{product_id}") for product_id in _cycle_ids(shop)),
        "list": (message("GET", _page(server, page)) for page in pages),
        "create": _messages_create(server, shop),
    }
    kinds = ["by_id"] * 45 + ["list"] * 4 + ["create"]
    random.Random(0).shuffle(kinds)
    return (next(sources[kind]) for kind in itertools.cycle(kinds))


def _cycle_ids(shop: Shop) -> Iterator[str]:
    ids = sorted(shop.products)
    random.Random(0).shuffle(ids)
    return itertools.cycle(ids)


def _check_mixed(server: Server, shop: Shop) -> None:
    _check_by_id(server, shop)
    _check_list(server, shop)
    _check_create(server, shop)


def _messages_health(server: Server, _: Shop) -> Iterator[bytes]:
    return itertools.repeat(message("GET", server.peer.health))


def _check_health(server: Server, _: Shop) -> None:
    if (status := server.ask("GET", server.peer.health)[0]) != 200:
        raise WrongResponse(f"{server.peer.name}: {status}")


def message(method: str, path: str, *, token: str = "", key: str = "", body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    if body:
        head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _expect(
    server: Server, status: int, content: dict[str, Any], expected_status: int, expected: dict[str, Any]
) -> None:
    """Raise WrongResponse unless the members are equal. Times are compared by value. Only Accord has links."""
    actual = {name: _parse_time(name, value) for name, value in content.items() if name != "_links"}
    if (status, actual) != (expected_status, {name: _parse_time(name, value) for name, value in expected.items()}):
        raise WrongResponse(
            f"{server.peer.name} responded {status} {content}\ninstead of {expected_status} {expected}."
        )


def _parse_time(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value


BY_ID = Workload("by_id", "Product by id, with category and tags", (200,), _messages_by_id, _check_by_id)
CREATE = Workload("create", "Create a product, with token", (201,), _messages_create, _check_create, writes=True)
WORKLOADS = (
    BY_ID,
    Workload(
        "list",
        f"Page of {PER_PAGE} of {PRODUCTS:,} products by price, with total",
        (200,),
        _messages_list,
        _check_list,
    ),
    CREATE,
    Workload(
        "order",
        f"Order of {ITEMS} items, with token and idempotency key",
        (201,),
        _messages_order,
        _check_order,
        writes=True,
    ),
    Workload("health", "Health", (200,), _messages_health, _check_health),
)
MIXED = Workload(
    "mixed",
    "Mixed traffic: 90 % by id, 8 % lists, 2 % creates; two workers",
    (200, 201),
    _messages_mixed,
    _check_mixed,
    writes=True,
)
