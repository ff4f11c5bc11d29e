"""The four requests, and what a right answer to each is."""

import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.databases import NEW, PRODUCTS, Shop
from bench.servers import Server, WrongAnswer

PER_PAGE = 20

_NOBODY = "00000000-0000-7000-8000-000000000000"
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
    """A peer that does not refuse what all have to refuse would have less to do."""
    products = f"{server.peer.prefix}/products"
    right = _new_product(shop)
    for what, status, (method, path, token, body) in (
        ("an unknown product", 404, ("GET", f"{products}/{_NOBODY}", "", None)),
        ("nobody's product", 401, ("POST", products, "", right)),
        ("a forged token", 401, ("POST", products, server.token[:-6] + "AAAAAA", right)),
        ("a price of nothing", 422, ("POST", products, server.token, right | {"price": "0.00"})),
        ("a short SKU", 422, ("POST", products, server.token, right | {"sku": "A"})),
        ("an unknown category", 422, ("POST", products, server.token, right | {"category_id": _NOBODY})),
        ("a SKU that is taken", 409, ("POST", products, server.token, right | {"sku": shop.sku})),
    ):
        answered, content = server.ask(method, path, token=token, body=body)
        # Frameworks differ in whether a body that does not fit is 400 or 422.
        if answered != status and (answered, status) != (400, 422):
            raise WrongAnswer(f"{server.peer.name}: {what} should be {status}, not {answered}: {content}")


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
    given = {name: content.get(name) for name in ("id", "created_at", "updated_at")}
    expected = {**body, **given, "category": shop.category, "tags": []}
    del expected["category_id"]
    _expect(server, status, content, 201, expected)


def _messages_health(server: Server, _: Shop) -> Iterator[bytes]:
    return itertools.repeat(_message("GET", server.peer.health))


def _check_health(server: Server, _: Shop) -> None:
    if (status := server.ask("GET", server.peer.health)[0]) != 200:
        raise WrongAnswer(f"{server.peer.name}: {status}")


def _message(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if body:
        head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _expect(server: Server, status: int, content: dict[str, Any], right_status: int, right: dict[str, Any]) -> None:
    """Members have to be the same, moments in time may be written in more than one way; links are Accord's own."""
    seen = {name: _moment(name, value) for name, value in content.items() if name != "_links"}
    if (status, seen) != (right_status, {name: _moment(name, value) for name, value in right.items()}):
        raise WrongAnswer(f"{server.peer.name} answered {status} {content}\nwhere {right_status} {right} is right.")


def _moment(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value


WORKLOADS = (
    Workload("by_id", "Product by id, with category and tags", 200, _messages_by_id, _check_by_id),
    Workload(
        "list", f"Page of {PER_PAGE} of {PRODUCTS:,} products by price, with total", 200, _messages_list, _check_list
    ),
    Workload("create", "Create a product, with token", 201, _messages_create, _check_create),
    Workload("health", "Health", 200, _messages_health, _check_health),
)  # fmt: skip
