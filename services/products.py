"""What the shop sells."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, func, insert, literal_column, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from db.aggregates import gathered
from db.columns import now
from db.compiled import compiled
from db.errors import violated
from db.models import Category, Product, ProductTag, Tag
from db.text import fold
from services import pages, tags
from services.errors import Conflict, Invalid, NotFound
from services.pages import BEGINNING, Cursors, Page


def _shown(product: Any) -> list[Any]:
    """The columns of a representation, of the table or of a part of it."""
    tags = select(Tag.name).join(ProductTag).where(ProductTag.product_id == product.id).order_by(ProductTag.position)
    return [*_own(product), *_CATEGORY, gathered(tags).label("tags")]


def _own(product: Any) -> list[Any]:
    return [product.id, product.sku, product.name, product.description, product.price, product.stock,
            product.created_at, product.updated_at]  # fmt: skip


_CATEGORY = (Category.id.label("category__id"), Category.name.label("category__name"))
_LIVE = Product.deleted_at.is_(None)
_PRODUCT = compiled(select(*_shown(Product)).join(Category).where(Product.id == bindparam("id"), _LIVE))
# In RETURNING, SQLAlchemy knows no outer table to correlate with.
_OWN_CATEGORY = Category.id == literal_column("products.category_id", Category.id.type)
_IN_ITS_CATEGORY = [
    select(column.element).where(_OWN_CATEGORY).scalar_subquery().label(column.key) for column in _CATEGORY
]
_CREATE = compiled(
    insert(Product).returning(*_own(Product), *_IN_ITS_CATEGORY),
    given=["sku", "name", "name_key", "search", "description", "price", "stock", "category_id"],
)

_POSITIONS: dict[str, Callable[[str], Any]] = {
    "name": str, "price": Decimal, "stock": int, "created_at": datetime.fromisoformat,
}  # fmt: skip
_FILTERS: dict[str, ColumnElement[bool]] = {
    "category": Product.category_id == bindparam("category"),
    "min_price": Product.price >= bindparam("min_price"),
    "max_price": Product.price <= bindparam("max_price"),
    "in_stock": (Product.stock > 0) == bindparam("in_stock"),
}


def find(
    session: Session, cursors: Cursors, *, sort: str, page: int, per_page: int, cursor: str | None = None,
    fields: Sequence[str] | None = None, tag: Sequence[str] | None = None, q: str | None = None, **filters: Any,
) -> Page:  # fmt: skip
    """Return a page of the products that fit all filters: page number *page*, or the one after *cursor*."""
    query = {"sort": sort, "tag": tag, "q": q, **filters}
    words = fold(q).split() if q else []
    values = {name: value for name, value in filters.items() if value is not None}
    values |= {f"tag_{n}": fold(name) for n, name in enumerate(tag or ())}
    values |= {f"word_{n}": _containing(word) for n, word in enumerate(words)}
    wanted = frozenset(values)
    shown = query | {"fields": fields}
    if cursor is not None:
        position = {}
        if cursor != BEGINNING:
            value, last_id = cursors.read(cursor, query)
            position = {"last": _POSITIONS[sort.removeprefix("-")](value), "last_id": last_id}
        items = _following(sort, wanted, bool(position)).all(session, limit=per_page + 1, **values, **position)
        more = len(items) > per_page
        items = items[:per_page]
        next_cursor = cursors.make([items[-1]["position"], items[-1]["id"]], query) if more else None
        return pages.after(items, cursor=cursor, next_cursor=next_cursor, per_page=per_page, query=shown)
    items = _page(sort, wanted).all(session, limit=per_page, offset=(page - 1) * per_page, **values)
    total = items[0]["total"] if items else _count(wanted).all(session, **values)[0]["total"]
    return pages.numbered(items, total=total, page=page, per_page=per_page, query=shown)


def get(session: Session, product_id: UUID) -> dict[str, Any]:
    product = _PRODUCT.first(session, id=product_id)
    if product is None:
        raise NotFound("There is no product with this id.")
    return product


def create(session: Session, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    try:
        product = _CREATE.all(session, **members, **_keys(**members))[0]
    except IntegrityError as error:
        raise _refused(error) from error
    product["tags"] = _tag(session, product["id"], tags)
    return product


def replace(session: Session, product_id: UUID, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    product = _entity(session, product_id)
    for name, value in (members | _keys(**members)).items():
        setattr(product, name, value)
    _flush(session)
    product.tags.clear()
    session.flush()
    _tag(session, product_id, tags)
    return get(session, product_id)


def update(session: Session, product_id: UUID, **changes: Any) -> dict[str, Any]:
    product = _entity(session, product_id)
    for name, value in changes.items():
        setattr(product, name, value)
    _flush(session)
    return get(session, product_id)


def delete(session: Session, product_id: UUID) -> None:
    _entity(session, product_id).deleted_at = now()
    session.flush()


def restore(session: Session, product_id: UUID) -> dict[str, Any]:
    product = session.get(Product, product_id)
    if product is None or product.deleted_at is None:
        raise NotFound("There is no deleted product with this id.")
    product.deleted_at = None
    _flush(session)
    return get(session, product_id)


@lru_cache(maxsize=512)
def _page(sort: str, wanted: frozenset[str]) -> compiled:
    rows = select(Product).where(_fits(wanted)).order_by(*_order(sort, Product))
    return _joined(sort, rows.limit(bindparam("limit")).offset(bindparam("offset")), _total(wanted))


@lru_cache(maxsize=512)
def _count(wanted: frozenset[str]) -> compiled:
    return compiled(select(_total(wanted)))


def _total(wanted: frozenset[str]) -> ColumnElement[int]:
    counted = select(func.count()).select_from(Product)
    if wanted:
        return counted.where(_fits(wanted)).scalar_subquery().label("total")
    # Counting a whole table, and the few that are deleted, costs less than looking at each whether it is.
    deleted = counted.where(Product.deleted_at.is_not(None)).scalar_subquery()
    return (counted.scalar_subquery() - deleted).label("total")


@lru_cache(maxsize=512)
def _following(sort: str, wanted: frozenset[str], has_begun: bool) -> compiled:
    column = getattr(Product, _column(sort))
    rows = select(Product).where(_fits(wanted)).order_by(*_order(sort, Product))
    if has_begun:
        last, last_id = bindparam("last", type_=column.type), bindparam("last_id", type_=Product.id.type)
        goes_on = (
            (column < last, Product.id < last_id) if sort.startswith("-") else (column > last, Product.id > last_id)
        )
        rows = rows.where(or_(goes_on[0], and_(column == last, goes_on[1])))
    return _joined(sort, rows.limit(bindparam("limit")))


def _joined(sort: str, rows: Any, *more: Any) -> compiled:
    """The rows of a page with all that is shown; it is looked up for these rows only."""
    product = aliased(Product, rows.subquery())
    position = getattr(product, _column(sort)).label("position")
    query = select(*_shown(product), position, *more).join(Category, Category.id == product.category_id)
    return compiled(query.order_by(*_order(sort, product)))


def _fits(wanted: frozenset[str]) -> ColumnElement[bool]:
    """The condition that takes the values named in *wanted*."""
    conditions: list[ColumnElement[bool]] = [_LIVE]
    for name in sorted(wanted):
        if name.startswith("tag_"):
            tagged = select(ProductTag.product_id).join(Tag).where(Tag.name_key == bindparam(name))
            conditions.append(Product.id.in_(tagged))
        elif name.startswith("word_"):
            conditions.append(Product.search.like(bindparam(name), escape="\\"))
        else:
            conditions.append(_FILTERS[name])
    return and_(*conditions)


def _order(sort: str, product: Any) -> list[ColumnElement[Any]]:
    column = getattr(product, _column(sort))
    return [column.desc(), product.id.desc()] if sort.startswith("-") else [column.asc(), product.id.asc()]


def _column(sort: str) -> str:
    return {"name": "name_key"}.get(name := sort.removeprefix("-"), name)


def _containing(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _keys(*, name: str, description: str | None, **_: Any) -> dict[str, str]:
    return {"name_key": fold(name), "search": fold(f"{name}\n{description or ''}")}


def _entity(session: Session, product_id: UUID) -> Product:
    product = session.get(Product, product_id)
    if product is None or product.deleted_at is not None:
        raise NotFound("There is no product with this id.")
    return product


def _tag(session: Session, product_id: UUID, names: Sequence[str]) -> list[str]:
    """Give the product its tags, and return their names as they are spelled where they were used first."""
    found = tags.named(session, names)
    for position, tag in enumerate(found):
        session.add(ProductTag(product_id=product_id, tag_id=tag.id, position=position))
    session.flush()
    return [tag.name for tag in found]


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _refused(error) from error


def _refused(error: IntegrityError) -> Exception:
    if violated(error) == "uq_products_sku":
        return Conflict("Another product has this SKU.", pointer="/sku")
    if violated(error) == "fk_products_category_id":
        return Invalid("There is no category with this id.", pointer="/category_id")
    return error
