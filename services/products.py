"""Products. SKUs are unique among live products."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, insert, literal_column, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlalchemy.orm import Session

from accord.errors import Conflict, Invalid, require, require_all, without_pointers
from db.change_tracking import record_change
from db.columns import utc_now
from db.expressions import array_subquery
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Category, Product, ProductTag, Tag
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.rows import Constraints, RowUpdate, flush, load_deleted, load_live, translate_violations
from db.text import casefold
from services import tags


def _select_product(product: Any) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of products with category and tags, from the table or an alias of a part of it."""
    tags = select(Tag.name).join(ProductTag).where(ProductTag.product_id == product.id).order_by(ProductTag.position)
    columns = [*_columns(product), *_CATEGORY, array_subquery(tags).label("tags")]
    return select(*columns).join(Category, Category.id == product.category_id)


def _columns(product: Any) -> list[Any]:
    return [
        product.id,
        product.sku,
        product.name,
        product.description,
        product.price,
        product.stock,
        product.created_at,
        product.updated_at,
    ]


def _has_tag(key: Any) -> ColumnElement[bool]:
    return Product.id.in_(select(ProductTag.product_id).join(Tag).where(Tag.name_key == key))


_CATEGORY = (Category.id.label("category__id"), Category.name.label("category__name"))
_PRODUCT = prepare(_select_product(Product).where(Product.id == bindparam("id"), Product.deleted_at.is_(None)))
# SQLAlchemy cannot correlate a subquery in RETURNING with the table.
_OWN_CATEGORY = Category.id == literal_column("products.category_id", Category.id.type)
_CATEGORY_OF_PRODUCT = [
    select(column.element).where(_OWN_CATEGORY).scalar_subquery().label(column.key) for column in _CATEGORY
]
_MEMBERS = ("sku", "name", "name_key", "search", "description", "price", "stock", "category_id")
_CREATE = prepare(insert(Product).returning(*_columns(Product), *_CATEGORY_OF_PRODUCT), values=_MEMBERS)
_REPLACE = RowUpdate(Product, *_MEMBERS)
_UPDATE = RowUpdate(Product, "price", "stock")
_INSERT_TAG = prepare(insert(ProductTag), values=["product_id", "tag_id", "position"])
_DELETE_TAGS = prepare(sql_delete(ProductTag).where(ProductTag.product_id == bindparam("of_id")))
_COUNT_CHANGE = prepare(
    sql_update(Product)
    .where(Product.id == bindparam("of_id"))
    .values(version=Product.version + 1, updated_at=Product.updated_at)
)
_FILTERS = {
    "category": Product.category_id,
    "tag": _has_tag,
    "min_price": lambda price: Product.price >= price,
    "max_price": lambda price: Product.price <= price,
    "in_stock": Product.stock > 0,
    "word": contains(Product.search),
}
_PRODUCTS = ListQuery(Product, _select_product, _FILTERS, {"name": "name_key"})
_POPULAR = ListQuery(
    Product, lambda product: _select_product(product).add_columns(product.units_sold), default_sort="-units_sold"
)
_UNIQUE: Constraints = {"uq_products_sku": partial(Conflict, "Another product has this SKU.", pointer="/sku")}
_CONSTRAINTS: Constraints = {
    **_UNIQUE,
    "fk_products_category_id": partial(Invalid, "There is no category with this id.", pointer="/category_id"),
}


def find(
    session: Session,
    cursors: CursorSigner,
    *,
    sort: str,
    page: int,
    per_page: int,
    cursor: str | None = None,
    fields: Sequence[str] | None = None,
    tag: Sequence[str] | None = None,
    q: str | None = None,
    **filters: Any,
) -> Page:
    """Return a page of the products that match all filters: page number *page*, or the page after *cursor*."""
    query = {"sort": sort, "tag": tag, "q": q, "fields": fields, **filters}
    values = filter_values(tag=[casefold(name) for name in tag or ()], word=search_patterns(q), **filters)
    return _PRODUCTS.find(session, cursors, values, query, page=page, per_page=per_page, cursor=cursor)


def find_popular(session: Session, *, page: int, per_page: int) -> Page:
    """Return page number *page* of the products, the best-selling first."""
    return _POPULAR.page(session, {}, {}, page=page, per_page=per_page)


def get(session: Session, product_id: UUID) -> dict[str, Any]:
    """Return the product with its category and tags; raises NotFound."""
    return require("product", _PRODUCT.first(session, id=product_id))


def create(session: Session, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    """Create a product; raises Conflict if the SKU is taken, Invalid for an unknown category."""
    with translate_violations(_CONSTRAINTS):
        product = _CREATE.all(session, **members, **_search_columns(**members))[0]
    product["tags"] = _add_tags(session, product["id"], tags) if tags else []
    record_change(session, Product, product["id"], {name: (None, value) for name, value in members.items()})
    return product


def bulk_create(session: Session, products: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Create a batch of products, all or none; raises Conflict or Invalid with an error for each refused value."""
    tag_names = chain.from_iterable(members["tags"] for members in products)
    tags_by_key = {tag["name_key"]: tag for tag in tags.get_or_create(session, [*tag_names])}
    new_products = [_build(tags_by_key, **members) for members in products]
    session.add_all(new_products)
    flush(session, dict.fromkeys(_CONSTRAINTS, partial(_batch_error, session, products)))
    category_ids = {product.category_id for product in new_products}
    categories = session.scalars(select(Category).where(Category.id.in_(category_ids)))
    categories_by_id = {category.id: category for category in categories}
    tag_names_by_id = {tag["id"]: tag["name"] for tag in tags_by_key.values()}
    items = [
        _representation(product, categories_by_id[product.category_id], tag_names_by_id) for product in new_products
    ]
    for item in items:
        record_change(session, Product, item["id"], {"tags": ([], item["tags"])})
    return {"items": items}


def replace(session: Session, product_id: UUID, *, tags: Sequence[str], **members: Any) -> dict[str, Any]:
    """Replace all members of the product; raises NotFound, and Conflict or Invalid as `create` does."""
    changes = members | _search_columns(**members)
    with translate_violations(_CONSTRAINTS):
        require("product", _REPLACE.apply(session, product_id, changes))
        product = get(session, product_id)
    before = product["tags"]
    if [*map(casefold, before)] != [*dict.fromkeys(map(casefold, tags))]:
        # Otherwise a unit of work that has read the product before, and waits for its row, would not fail to serialize.
        _COUNT_CHANGE.execute_later(session, [{"of_id": product_id}])
        _DELETE_TAGS.execute_later(session, [{"of_id": product_id}])
        product["tags"] = _add_tags(session, product_id, tags, before)
    return product


def update(session: Session, product_id: UUID, **changes: Any) -> dict[str, Any]:
    """Change `price` and `stock` of the product; raises NotFound."""
    require("product", _UPDATE.apply(session, product_id, changes))
    return get(session, product_id)


def delete(session: Session, product_id: UUID) -> None:
    """Delete the product, so that it can be restored; raises NotFound."""
    _load(session, product_id).deleted_at = utc_now()
    session.flush()


def bulk_delete(session: Session, product_ids: Sequence[UUID]) -> None:
    """Delete all of these products, or none; raises NotFound with an error for each missing id."""
    live = select(Product).where(Product.id.in_(product_ids), Product.deleted_at.is_(None))
    products = {product.id: product for product in session.scalars(live)}
    require_all("product", product_ids, products)
    moment = utc_now()
    for product in products.values():
        product.deleted_at = moment
    session.flush()


def restore(session: Session, product_id: UUID) -> dict[str, Any]:
    """Restore the deleted product; raises NotFound, and Conflict if the SKU is taken by now."""
    product = require("deleted product", load_deleted(session, Product, product_id))
    product.deleted_at = None
    with without_pointers():
        flush(session, _UNIQUE)
    return get(session, product_id)


def _search_columns(*, name: str, description: str | None, **_: Any) -> dict[str, str]:
    return {"name_key": casefold(name), "search": casefold(f"{name}\n{description or ''}")}


def _build(tags_by_key: Mapping[str, Mapping[str, Any]], *, tags: Sequence[str], **members: Any) -> Product:
    """Return a new product with its tags; *tags_by_key* has them by their case-folded names."""
    keys = dict.fromkeys(casefold(name) for name in tags)
    product_tags = [ProductTag(tag_id=tags_by_key[key]["id"], position=position) for position, key in enumerate(keys)]
    return Product(tags=product_tags, **members, **_search_columns(**members))


def _representation(product: Product, category: Category, tag_names_by_id: Mapping[UUID, str]) -> dict[str, Any]:
    """Return the representation of a new product."""
    members = {column.key: getattr(product, column.key) for column in _columns(Product)}
    return members | {
        "category": category,
        "tags": [tag_names_by_id[product_tag.tag_id] for product_tag in product.tags],
    }


def _load(session: Session, product_id: UUID) -> Product:
    return require("product", load_live(session, Product, product_id))


def _add_tags(session: Session, product_id: UUID, names: Sequence[str], before: Sequence[str] = ()) -> list[str]:
    """Add tags to the product, and return their names, spelled as at their first use."""
    product_tags = tags.get_or_create(session, names)
    _INSERT_TAG.execute_later(
        session,
        [
            {"product_id": product_id, "tag_id": tag["id"], "position": position}
            for position, tag in enumerate(product_tags)
        ],
    )
    after = [tag["name"] for tag in product_tags]
    record_change(session, Product, product_id, {"tags": ([*before], after)})
    return after


def _batch_error(session: Session, products: Sequence[Mapping[str, Any]]) -> Conflict | Invalid:
    """Return an error that has one for each SKU that is taken or repeated, and for each unknown category."""
    # The unit of work has failed. After the rollback of its rows, only other products have the SKUs.
    session.rollback()
    skus = [product["sku"] for product in products]
    taken_skus = select(Product.sku).where(Product.sku.in_(skus), Product.deleted_at.is_(None))
    taken = set(session.scalars(taken_skus))
    category_ids = [product["category_id"] for product in products]
    known_categories = set(session.scalars(select(Category.id).where(Category.id.in_(category_ids))))
    errors: list[Conflict | Invalid] = []
    for n, product in enumerate(products):
        if product["sku"] in taken:
            errors.append(Conflict("Another product has this SKU.", pointer=f"/{n}/sku"))
        if product["category_id"] not in known_categories:
            errors.append(Invalid("There is no category with this id.", pointer=f"/{n}/category_id"))
        taken.add(product["sku"])
    error_type = Invalid if any(isinstance(error, Invalid) for error in errors) else Conflict
    message = str(errors[0]) if errors else "Another request changed the same products. Try again."
    return error_type(message, errors=errors)
