"""SQLAlchemy in Flask on psycopg, as Flask's documentation has it: one session a request, removed at its end."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from environment import DATABASE_URL, POOL_SIZE
from flask import Flask, Response, abort, request
from models import ORDERS, Category, Product
from order_statements import OrderError, place_order
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, scoped_session, selectinload, sessionmaker
from werkzeug.exceptions import Conflict, NotFound, UnprocessableEntity

engine = create_engine(DATABASE_URL.replace("postgresql:", "postgresql+psycopg:"), pool_size=POOL_SIZE, max_overflow=0)
db_session = scoped_session(sessionmaker(engine, expire_on_commit=False))
LOADED = (joinedload(Product.category), selectinload(Product.tag_rows))


def init_app(app: Flask) -> None:
    @app.teardown_appcontext
    def shutdown_session(_: BaseException | None = None) -> None:
        db_session.remove()


def get(product_id: object) -> Product:
    product = db_session.scalar(
        select(Product).where(Product.id == product_id, Product.deleted_at.is_(None)).options(*LOADED)
    )
    if product is None:
        raise NotFound
    return product


def find(page: int, per_page: int, sort: str) -> dict[str, object]:
    kept = Product.deleted_at.is_(None)
    items = db_session.scalars(
        select(Product).where(kept).options(*LOADED).order_by(*ORDERS[sort]).limit(per_page).offset((page - 1) * per_page)
    ).all()
    total = db_session.scalar(select(func.count()).select_from(Product).where(kept))
    return {"items": items, "total": total, "page": page, "per_page": per_page}


def create(**body: object) -> Product:
    category = db_session.get(Category, body["category_id"])
    if category is None:
        raise UnprocessableEntity("No such category")
    product = Product(**body, category=category, tag_rows=[])
    db_session.add(product)
    try:
        db_session.commit()
    except IntegrityError:
        raise Conflict("Another product has this SKU") from None
    return product


def order(
    owner_id: str,
    key: str,
    items: Sequence[tuple[UUID, int]],
    note: str | None,
    dump: Callable[[dict[str, Any]], bytes],
) -> Response:
    try:
        content = place_order(db_session(), UUID(owner_id), key, request.get_data(), items, note, dump)
    except OrderError as error:
        abort(error.status, error.message)
    return Response(content, 201, mimetype="application/json")
