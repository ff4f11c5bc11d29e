"""Product tags. Their names are unique, regardless of case."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db import pagination
from db.change_tracking import record_change
from db.expressions import upsert
from db.models import Product, ProductTag, Tag
from db.pagination import Page
from db.prepared import prepare
from db.text import casefold

_COUNT = prepare(select(func.count().label("total")).select_from(Tag))
_TAGS = prepare(
    select(
        Tag.id,
        Tag.name,
        select(func.count())
        .select_from(ProductTag)
        .join(Product)
        .where(ProductTag.tag_id == Tag.id, Product.deleted_at.is_(None))
        .scalar_subquery()
        .label("products_count"),
    )
    .order_by(Tag.name_key)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)

_CREATE = upsert(Tag).on_conflict_do_nothing(index_elements=[Tag.name_key]).returning(Tag)


def find(session: Session, *, page: int, per_page: int) -> Page:
    """Return page number *page* of the tags by name, each with its `products_count`."""
    items = _TAGS.all(session, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session)[0]["total"]
    return pagination.number_page(items, total=total, page=page, per_page=per_page, query={})


def get_or_create(session: Session, names: Sequence[str]) -> list[Tag]:
    """Return the tags with these names, in their order and without duplicates; creates the missing ones."""
    names_by_key = {casefold(name): name for name in reversed(names)}
    known = _find_by_key(session, names_by_key)
    if missing := sorted(names_by_key.keys() - known.keys()):
        rows = [{"name": names_by_key[key], "name_key": key} for key in missing]
        for tag in session.scalars(_CREATE, rows):
            record_change(session, Tag, tag.id, {"name": (None, tag.name)})
        # Other transactions may have created some of them meanwhile, which the statement does not return.
        known = _find_by_key(session, names_by_key)
    return [known[key] for key in dict.fromkeys(casefold(name) for name in names)]


def _find_by_key(session: Session, keys: Collection[str]) -> dict[str, Tag]:
    tags = session.scalars(select(Tag).where(Tag.name_key.in_(keys))) if keys else ()
    return {tag.name_key: tag for tag in tags}
