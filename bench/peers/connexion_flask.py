"""Stock Connexion: FlaskApp, both validations on, a contract of its own in connexion_flask.yaml."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import flask_database
import jwt
import orjson
from connexion import FlaskApp, request
from environment import SECRET
from flask import Response
from models import Product

app = FlaskApp(__name__, specification_dir=Path(__file__).parent)
flask_database.init_app(app.app)


def health() -> dict[str, str]:
    return {"status": "ok"}


def get_product(product_id: str) -> dict[str, object]:
    return represent(flask_database.get(UUID(product_id)))


def list_products(page: int, per_page: int, sort: str) -> dict[str, object]:
    found = flask_database.find(page, per_page, sort)
    return {**found, "items": [represent(product) for product in found["items"]]}


def create_product(body: dict) -> tuple[dict[str, object], int]:
    values = {**body, "price": Decimal(body["price"]), "category_id": UUID(body["category_id"])}
    return represent(flask_database.create(**values)), 201


def create_order(body: dict, user: str) -> Response:
    items = [(UUID(item["product_id"]), item["quantity"]) for item in body["items"]]
    key = request.headers["Idempotency-Key"]
    return flask_database.order(user, key, items, body.get("note"), dump_order)


def dump_order(order: dict[str, Any]) -> bytes:
    return orjson.dumps(order, default=str)


def verify(token: str) -> dict[str, object] | None:
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return None


def represent(product: Product) -> dict[str, object]:
    return {
        "id": str(product.id),
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "price": str(product.price),
        "stock": product.stock,
        "category": {"id": str(product.category.id), "name": product.category.name},
        "tags": product.tags,
        "created_at": product.created_at.isoformat(),
        "updated_at": product.updated_at.isoformat(),
    }


app.add_api("connexion_flask.yaml", validate_responses=True, strict_validation=True)
