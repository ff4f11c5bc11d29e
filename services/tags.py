"""Words that products are found by."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db.compiled import compiled
from db.models import Product, ProductTag, Tag
from db.text import fold
from services import pages
from services.pages import Page

_COUNT = compiled(select(func.count().label("total")).select_from(Tag))
_TAGS = compiled(
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


def find(session: Session, *, page: int, per_page: int) -> Page:
    items = _TAGS.all(session, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session)[0]["total"]
    return pages.numbered(items, total=total, page=page, per_page=per_page, query={})


def named(session: Session, names: Sequence[str]) -> list[Tag]:
    """Return the tags with these names, in their order; those that are new are made, and each comes once."""
    wanted = {fold(name): name for name in reversed(names)}
    known = (
        {tag.name_key: tag for tag in session.scalars(select(Tag).where(Tag.name_key.in_(wanted)))} if wanted else {}
    )
    for key in sorted(wanted.keys() - known.keys()):
        known[key] = Tag(name=wanted[key], name_key=key)
        session.add(known[key])
    session.flush()
    return [known[key] for key in dict.fromkeys(fold(name) for name in names)]
