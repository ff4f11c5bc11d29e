"""The four requests, and the correct response to each."""

import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.databases import NEW, PRODUCTS, Shop
from bench.servers import Server, WrongResponse

PER_PAGE = 20

_UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
_PRODUCT = {
    "name": "Copper kettle",
    "description": "Whistles when the water boils, and keeps quiet otherwise.",
    "price": "1249.50",
    "stock": 12,
}


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    status: int
    messages: Callable[[Server, Shop], Iterator[bytes]]
    check: Callable[[Server, Shop], None]


def check_refusals(server: Server, shop: Shop) -> None:
    """Raise WrongResponse if the server accepts an invalid request, because it would then do less work."""
    products = f"{server.peer.prefix}/products"
    valid = _new_product(shop)
    for what, status, (method, path, token, body) in (
        ("an unknown product", 404, ("GET", f"{products}/{_UNKNOWN_ID}", "", None)),
        ("a product without a token", 401, ("POST", products, "", valid)),
        ("a forged token", 401, ("POST", products, server.token[:-6] + "AAAAAA", valid)),
        ("a price of zero", 422, ("POST", products, server.token, valid | {"price": "0.00"})),
        ("a short SKU", 422, ("POST", products, server.token, valid | {"sku": "A"})),
        ("an unknown category", 422, ("POST", products, server.token, valid | {"category_id": _UNKNOWN_ID})),
        ("a SKU that is taken", 409, ("POST", products, server.token, valid | {"sku": shop.sku})),
    ):
        actual_status, content = server.ask(method, path, token=token, body=body)
        # Some frameworks respond 400 to an invalid body, others 422.
        if actual_status != status and (actual_status, status) != (400, 422):
            raise WrongResponse(f"{server.peer.name}: {what} should be {status}, not {actual_status}: {content}")


def _messages_by_id(server: Server, shop: Shop) -> Iterator[bytes]:
    ids = random.Random(0).sample(sorted(shop.products), 1000)
    return itertools.cycle([_message("GET", f"{server.peer.prefix}/products/{product_id}") for product_id in ids])


def _check_by_id(server: Server, shop: Shop) -> None:
    product_id = random.choice(sorted(shop.products))
    _expect(server, *server.ask("GET", f"{server.peer.prefix}/products/{product_id}"), 200, shop.products[product_id])


def _page(server: Server, page: int) -> str:
    return f"{server.peer.prefix}/products?page={page}&per_page={PER_PAGE}&sort=price"


def _messages_list(server: Server, _: Shop) -> Iterator[bytes]:
    return itertools.cycle([_message("GET", _page(server, page)) for page in range(1, 26)])


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
    message = _message("POST", f"{server.peer.prefix}/products", token=server.token, body=body)
    head, tail = message.split(body[9 : 9 + len(sku)])
    series, prefix = secrets.token_hex(4).upper().encode(), NEW.encode()
    return (b"%b%b%b%08X%b" % (head, prefix, series, number, tail) for number in itertools.count())


def _check_create(server: Server, shop: Shop) -> None:
    body = _new_product(shop)
    status, content = server.ask("POST", f"{server.peer.prefix}/products", token=server.token, body=body)
    generated = {name: content.get(name) for name in ("id", "created_at", "updated_at")}
    expected = {**body, **generated, "category": shop.category, "tags": []}
    del expected["category_id"]
    _expect(server, status, content, 201, expected)


def _messages_health(server: Server, _: Shop) -> Iterator[bytes]:
    return itertools.repeat(_message("GET", server.peer.health))


def _check_health(server: Server, _: Shop) -> None:
    if (status := server.ask("GET", server.peer.health)[0]) != 200:
        raise WrongResponse(f"{server.peer.name}: {status}")


def _message(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
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


WORKLOADS = (
    Workload("by_id", "Product by id, with category and tags", 200, _messages_by_id, _check_by_id),
    Workload(
        "list", f"Page of {PER_PAGE} of {PRODUCTS:,} products by price, with total", 200, _messages_list, _check_list
    ),
    Workload("create", "Create a product, with token", 201, _messages_create, _check_create),
    Workload("health", "Health", 200, _messages_health, _check_health),
)  # fmt: skip
