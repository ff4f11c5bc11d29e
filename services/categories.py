"""Categories of products. Their names are unique, regardless of case."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from accord.errors import Conflict, require
from db import pagination
from db.models import Category, Product
from db.pagination import Page
from db.prepared import prepare
from db.rows import Constraints, assign, flush, load_live
from db.text import casefold

_CATEGORY_COLUMNS = (Category.id, Category.name, Category.description, Category.created_at, Category.updated_at)
_PRODUCTS_COUNT = (
    select(func.count())
    .select_from(Product)
    .where(Product.category_id == Category.id, Product.deleted_at.is_(None))
    .scalar_subquery()
    .label("products_count")
)
_COUNT = prepare(select(func.count().label("total")).select_from(Category))
_COLUMNS = {False: _CATEGORY_COLUMNS, True: (*_CATEGORY_COLUMNS, _PRODUCTS_COUNT)}
_CATEGORY = {
    has_count: prepare(select(*columns).where(Category.id == bindparam("id")))
    for has_count, columns in _COLUMNS.items()
}
_PAGE = {
    has_count: prepare(
        select(*columns).order_by(Category.name_key).limit(bindparam("limit")).offset(bindparam("offset"))
    )
    for has_count, columns in _COLUMNS.items()
}
_CONSTRAINTS: Constraints = {
    "uq_categories_name_key": partial(Conflict, "Another category has this name.", pointer="/name"),
    "fk_products_category_id": partial(Conflict, "The category has products."),
}


def find(session: Session, *, page: int, per_page: int, expand: Sequence[str] | None = None) -> Page:
    """Return page number *page* of the categories by name. With *expand*, each has its `products_count`."""
    items = _PAGE[bool(expand)].all(session, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session)[0]["total"]
    return pagination.number_page(items, total=total, page=page, per_page=per_page, query={"expand": expand})


def get(session: Session, category_id: UUID, *, expand: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the category. With *expand*, it has its `products_count`. Raises NotFound."""
    return require("category", _CATEGORY[bool(expand)].first(session, id=category_id))


def create(session: Session, *, name: str, **members: Any) -> Category:
    """Create a category; raises Conflict if the name is taken."""
    category = Category(name=name, name_key=casefold(name), **members)
    session.add(category)
    flush(session, _CONSTRAINTS)
    return category


def update(session: Session, category_id: UUID, **changes: Any) -> Category:
    """Change members of the category; raises NotFound, and Conflict if the name is taken."""
    category = require("category", load_live(session, Category, category_id))
    assign(category, changes)
    category.name_key = casefold(category.name)
    flush(session, _CONSTRAINTS)
    return category


def delete(session: Session, category_id: UUID) -> None:
    """Delete the category; raises NotFound, and Conflict while it has products."""
    session.delete(require("category", load_live(session, Category, category_id)))
    flush(session, _CONSTRAINTS)
