"""Kinds of products."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accord.errors import Conflict, NotFound
from db import pagination
from db.errors import violated_constraint
from db.models import Category, Product
from db.pagination import Page
from db.prepared import prepare
from db.text import casefold

_SELECTED = (Category.id, Category.name, Category.description, Category.created_at, Category.updated_at)
_PRODUCTS_COUNT = (
    select(func.count())
    .select_from(Product)
    .where(Product.category_id == Category.id, Product.deleted_at.is_(None))
    .scalar_subquery()
    .label("products_count")
)
_COUNT = prepare(select(func.count().label("total")).select_from(Category))
_COLUMNS = {False: _SELECTED, True: (*_SELECTED, _PRODUCTS_COUNT)}
_CATEGORY = {
    counted: prepare(select(*columns).where(Category.id == bindparam("id"))) for counted, columns in _COLUMNS.items()
}
_PAGE = {
    counted: prepare(select(*columns).order_by(Category.name_key).limit(bindparam("limit")).offset(bindparam("offset")))
    for counted, columns in _COLUMNS.items()
}


def find(session: Session, *, page: int, per_page: int, expand: Sequence[str] | None = None) -> Page:
    items = _PAGE[bool(expand)].all(session, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session)[0]["total"]
    return pagination.number_page(items, total=total, page=page, per_page=per_page, query={"expand": expand})


def get(session: Session, category_id: UUID, *, expand: Sequence[str] | None = None) -> dict[str, Any]:
    category = _CATEGORY[bool(expand)].first(session, id=category_id)
    if category is None:
        raise NotFound("There is no category with this id.")
    return category


def create(session: Session, *, name: str, description: str | None) -> Category:
    category = Category(name=name, name_key=casefold(name), description=description)
    session.add(category)
    _flush(session)
    return category


def update(session: Session, category_id: UUID, **changes: Any) -> Category:
    category = _load(session, category_id)
    for member, value in changes.items():
        setattr(category, member, value)
    category.name_key = casefold(category.name)
    _flush(session)
    return category


def delete(session: Session, category_id: UUID) -> None:
    session.delete(_load(session, category_id))
    _flush(session)


def _load(session: Session, category_id: UUID) -> Category:
    category = session.get(Category, category_id)
    if category is None:
        raise NotFound("There is no category with this id.")
    return category


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if violated_constraint(error) == "uq_categories_name_key":
            raise Conflict("Another category has this name.", pointer="/name") from error
        if violated_constraint(error) == "fk_products_category_id":
            raise Conflict("Products are of this category.") from error
        raise
