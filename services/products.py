"""What the shop sells."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, insert, literal_column, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accord.errors import Conflict, Invalid, NotFound, require_all, without_pointers
from db.change_tracking import record_change
from db.columns import utc_now
from db.errors import violated_constraint
from db.expressions import array_subquery
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Category, Product, ProductTag, Tag
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.text import casefold
from services import tags


def _select_product(product: Any) -> Select[*tuple[Any, ...]]:
    """Select the representation of the products of the table, or of a part of it."""
    tags = select(Tag.name).join(ProductTag).where(ProductTag.product_id == product.id).order_by(ProductTag.position)
    columns = [*_columns(product), *_CATEGORY, array_subquery(tags).label("tags")]
    return select(*columns).join(Category, Category.id == product.category_id)


def _columns(product: Any) -> list[Any]:
    return [product.id, product.sku, product.name, product.description, product.price, product.stock,
            product.created_at, product.updated_at]  # fmt: skip


def _tagged(key: Any) -> ColumnElement[bool]:
    return Product.id.in_(select(ProductTag.product_id).join(Tag).where(Tag.name_key == key))


_CATEGORY = (Category.id.label("category__id"), Category.name.label("category__name"))
_PRODUCT = prepare(_select_product(Product).where(Product.id == bindparam("id"), Product.deleted_at.is_(None)))
# In RETURNING, SQLAlchemy knows no outer table to correlate with.
_OWN_CATEGORY = Category.id == literal_column("products.category_id", Category.id.type)
_IN_ITS_CATEGORY = [
    select(column.element).where(_OWN_CATEGORY).scalar_subquery().label(column.key) for column in _CATEGORY
]
_CREATE = prepare(
    insert(Product).returning(*_columns(Product), *_IN_ITS_CATEGORY),
    values=["sku", "name", "name_key", "search", "description", "price", "stock", "category_id"],
)
_FILTERS = {
    "category": Product.category_id,
    "tag": _tagged,
    "min_price": lambda price: Product.price >= price,
    "max_price": lambda price: Product.price <= price,
    "in_stock": Product.stock > 0,
    "word": contains(Product.search),
}
_PRODUCTS = ListQuery(Product, _select_product, _FILTERS, {"name": "name_key"})
_POPULAR = ListQuery(
    Product, lambda product: _select_product(product).add_columns(product.units_sold), default_sort="-units_sold"
)


def find(
    session: Session, cursors: CursorSigner, *, sort: str, page: int, per_page: int, cursor: str | None = None,
    fields: Sequence[str] | None = None, tag: Sequence[str] | None = None, q: str | None = None, **filters: Any,
) -> Page:  # fmt: skip
    """Return a page of the products that fit all filters: page number *page*, or the one after *cursor*."""
    query = {"sort": sort, "tag": tag, "q": q, "fields": fields, **filters}
    values = filter_values(tag=[casefold(name) for name in tag or ()], word=search_patterns(q), **filters)
    return _PRODUCTS.find(session, cursors, values, query, page=page, per_page=per_page, cursor=cursor)


def find_popular(session: Session, *, page: int, per_page: int) -> Page:
    """Return page number *page* of the products, the one most sold first."""
    return _POPULAR.page(session, {}, {}, page=page, per_page=per_page)


def get(session: Session, product_id: UUID) -> dict[str, Any]:
    product = _PRODUCT.first(session, id=product_id)
    if product is None:
        raise NotFound("There is no product with this id.")
    return product


def create(session: Session, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    try:
        product = _CREATE.all(session, **members, **_keys(**members))[0]
    except IntegrityError as error:
        raise _conflict(error) from error
    product["tags"] = _tag(session, product["id"], tags)
    record_change(session, Product, product["id"], {name: (None, value) for name, value in members.items()})
    return product


def bulk_create(session: Session, products: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return a batch of new products, all of them or none; a refusal names every fault."""
    used = tags.get_or_create(session, [name for members in products for name in members["tags"]])
    known = {tag.name_key: tag for tag in used}
    made = [_build(known, **members) for members in products]
    session.add_all(made)
    try:
        session.flush()
    except IntegrityError as error:
        if _conflict(error) is error:
            raise
        # The unit of work has failed; without what it wrote, what others have is left.
        session.rollback()
        raise _errors(session, products) from error
    chosen = select(Category).where(Category.id.in_({product.category_id for product in made}))
    categories = {category.id: category for category in session.scalars(chosen)}
    items = [_representation(product, categories[product.category_id]) for product in made]
    for item in items:
        record_change(session, Product, item["id"], {"tags": ([], item["tags"])})
    return {"items": items}


def replace(session: Session, product_id: UUID, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    product = _load(session, product_id)
    for name, value in (members | _keys(**members)).items():
        setattr(product, name, value)
    _flush(session)
    before = [tagged.tag.name for tagged in product.tags]
    product.tags.clear()
    session.flush()
    _tag(session, product_id, tags, before)
    return get(session, product_id)


def update(session: Session, product_id: UUID, **changes: Any) -> dict[str, Any]:
    product = _load(session, product_id)
    for name, value in changes.items():
        setattr(product, name, value)
    _flush(session)
    return get(session, product_id)


def delete(session: Session, product_id: UUID) -> None:
    _load(session, product_id).deleted_at = utc_now()
    session.flush()


def bulk_delete(session: Session, product_ids: Sequence[UUID]) -> None:
    """Delete all of these products, or none."""
    live = select(Product).where(Product.id.in_(product_ids), Product.deleted_at.is_(None))
    products = {product.id: product for product in session.scalars(live)}
    require_all("product", product_ids, products)
    moment = utc_now()
    for product in products.values():
        product.deleted_at = moment
    session.flush()


def restore(session: Session, product_id: UUID) -> dict[str, Any]:
    product = session.get(Product, product_id)
    if product is None or product.deleted_at is None:
        raise NotFound("There is no deleted product with this id.")
    product.deleted_at = None
    with without_pointers():
        _flush(session)
    return get(session, product_id)


def _keys(*, name: str, description: str | None, **_: Any) -> dict[str, str]:
    return {"name_key": casefold(name), "search": casefold(f"{name}\n{description or ''}")}


def _build(known: Mapping[str, Tag], *, tags: Sequence[str], **members: Any) -> Product:
    keys = dict.fromkeys(casefold(name) for name in tags)
    places = [ProductTag(tag=known[key], position=position) for position, key in enumerate(keys)]
    return Product(tags=places, **members, **_keys(**members))


def _representation(product: Product, category: Category) -> dict[str, Any]:
    """Return the representation of a product that was just made."""
    own = {column.key: getattr(product, column.key) for column in _columns(Product)}
    return own | {"category": category, "tags": [place.tag.name for place in product.tags]}


def _load(session: Session, product_id: UUID) -> Product:
    product = session.get(Product, product_id)
    if product is None or product.deleted_at is not None:
        raise NotFound("There is no product with this id.")
    return product


def _tag(session: Session, product_id: UUID, names: Sequence[str], before: Sequence[str] = ()) -> list[str]:
    """Give the product its tags, and return their names as they are spelled where they were used first."""
    found = tags.get_or_create(session, names)
    for position, tag in enumerate(found):
        session.add(ProductTag(product_id=product_id, tag_id=tag.id, position=position))
    session.flush()
    after = [tag.name for tag in found]
    record_change(session, Product, product_id, {"tags": ([*before], after)})
    return after


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _conflict(error) from error


def _conflict(error: IntegrityError) -> Exception:
    if violated_constraint(error) == "uq_products_sku":
        return Conflict("Another product has this SKU.", pointer="/sku")
    if violated_constraint(error) == "fk_products_category_id":
        return Invalid("There is no category with this id.", pointer="/category_id")
    return error


def _errors(session: Session, products: Sequence[Mapping[str, Any]]) -> Conflict | Invalid:
    """Return what is wrong with each of the products: an SKU that is taken or comes again, an unknown category."""
    skus = select(Product.sku).where(Product.sku.in_([p["sku"] for p in products]), Product.deleted_at.is_(None))
    taken = set(session.scalars(skus))
    categories = select(Category.id).where(Category.id.in_([p["category_id"] for p in products]))
    known = set(session.scalars(categories))
    each: list[Conflict | Invalid] = []
    for n, product in enumerate(products):
        if product["sku"] in taken:
            each.append(Conflict("Another product has this SKU.", pointer=f"/{n}/sku"))
        if product["category_id"] not in known:
            each.append(Invalid("There is no category with this id.", pointer=f"/{n}/category_id"))
        taken.add(product["sku"])
    kind = Invalid if any(isinstance(fault, Invalid) for fault in each) else Conflict
    return kind(str(each[0]) if each else "Others are changing the same products; try again.", errors=each)
