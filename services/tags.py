"""Product tags. Their names are unique, regardless of case."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import String, bindparam, func, select
from sqlalchemy.orm import Session

from db import pagination
from db.change_tracking import record_change
from db.columns import new_id
from db.expressions import json_rows, upsert
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

_KEYS = json_rows("keys", key=String())
_FIND = prepare(select(Tag.id, Tag.name, Tag.name_key).join(_KEYS, _KEYS.c.key == Tag.name_key))
_CREATE = prepare(upsert(Tag).on_conflict_do_nothing(index_elements=[Tag.name_key]), values=["id", "name", "name_key"])


def find(session: Session, *, page: int, per_page: int) -> Page:
    """Return page number *page* of the tags by name, each with its `products_count`."""
    items = _TAGS.all(session, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session)[0]["total"]
    return pagination.number_page(items, total=total, page=page, per_page=per_page, query={})


def get_or_create(session: Session, names: Sequence[str]) -> list[dict[str, Any]]:
    """
    Return the tags with these names, in their order and without duplicates; creates the missing ones.

    Each has `id`, `name` and the case-folded `name_key`.
    """
    names_by_key = {casefold(name): name for name in reversed(names)}
    known = _find_by_key(session, names_by_key)
    if missing := sorted(names_by_key.keys() - known.keys()):
        created: list[dict[str, Any]] = [
            {"id": new_id(), "name": names_by_key[key], "name_key": key} for key in missing
        ]
        _CREATE.execute_later(session, created)
        known = _find_by_key(session, names_by_key)
        for tag in created:
            # Another transaction may have created it meanwhile, with another id.
            if known[tag["name_key"]]["id"] == tag["id"]:
                record_change(session, Tag, tag["id"], {"name": (None, tag["name"])})
    return [known[key] for key in dict.fromkeys(casefold(name) for name in names)]


def _find_by_key(session: Session, keys: Collection[str]) -> dict[str, dict[str, Any]]:
    tags = _FIND.all(session, keys=[[key] for key in keys]) if keys else []
    return {tag["name_key"]: tag for tag in tags}
