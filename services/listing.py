"""Lists that are filtered, sorted and shown page by page, by number or by cursor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from db.compiled import compiled
from services import pages
from services.pages import BEGINNING, Cursors, Page

Values = Mapping[str, Any]

_FROM_TEXT: dict[type, Callable[[str], Any]] = {str: str, int: int, Decimal: Decimal, datetime: datetime.fromisoformat}


@dataclass(frozen=True)
class Listing:
    """
    A list of the rows of `model` that are not deleted.

    `shown(row)` selects what is shown of a row of the model or of an alias of it; `sorts` has the
    attribute for each name of an order; `condition(name)` is the condition that takes the value
    bound to that name. A statement is made once for each order and each set of values.

    Rows without a value come last in either direction; a cursor goes by a column that always has one.
    """

    model: Any
    shown: Callable[[Any], Select[*tuple[Any, ...]]]
    sorts: Mapping[str, str]
    condition: Callable[[str], ColumnElement[bool]]

    def __hash__(self) -> int:
        return id(self)

    def numbered(self, session: Session, values: Values, query: Values, *, sort: str, page: int, per_page: int) -> Page:
        """Return page number *page* of the rows that fit *values*; *query* is what the caller asked for."""
        offset = (page - 1) * per_page
        items = _page(self, sort, frozenset(values)).all(session, limit=per_page, offset=offset, **values)
        total = items[0]["total"] if items else _count(self, frozenset(values)).all(session, **values)[0]["total"]
        return pages.numbered(items, total=total, page=page, per_page=per_page, query=query)

    def after(
        self,
        session: Session,
        values: Values,
        query: Values,
        *,
        sort: str,
        cursor: str,
        per_page: int,
        cursors: Cursors,
    ) -> Page:
        """Return the page after *cursor* of the rows that fit; raises Malformed for a cursor of another query."""
        position: dict[str, Any] = {}
        if cursor != BEGINNING:
            value, last_id = cursors.read(cursor, query)
            position = {"last": _FROM_TEXT[self.column(self.model, sort).type.python_type](value), "last_id": last_id}
        statement = _following(self, sort, frozenset(values), bool(position))
        items = statement.all(session, limit=per_page + 1, **values, **position)
        more, items = len(items) > per_page, items[:per_page]
        next_cursor = cursors.make([items[-1]["position"], items[-1]["id"]], query) if more else None
        return pages.after(items, cursor=cursor, next_cursor=next_cursor, per_page=per_page, query=query)

    def column(self, row: Any, sort: str) -> Any:
        return getattr(row, self.sorts[sort.removeprefix("-")])

    def order(self, row: Any, sort: str) -> list[ColumnElement[Any]]:
        columns = (self.column(row, sort), row.id)
        order = [column.desc() if sort.startswith("-") else column.asc() for column in columns]
        # Left to themselves, PostgreSQL takes NULL for the highest value, and SQLite for the lowest.
        return [order[0].nulls_last(), order[1]] if self.column(self.model, sort).nullable else order

    def fits(self, wanted: frozenset[str]) -> ColumnElement[bool]:
        return and_(self._is_live, *(self.condition(name) for name in sorted(wanted)))

    def total(self, wanted: frozenset[str]) -> ColumnElement[int]:
        counted = select(func.count()).select_from(self.model)
        if wanted or not hasattr(self.model, "deleted_at"):
            return counted.where(self.fits(wanted)).scalar_subquery().label("total")
        # Counting a whole table, and the few that are deleted, costs less than looking at each whether it is.
        deleted = counted.where(self.model.deleted_at.is_not(None)).scalar_subquery()
        return (counted.scalar_subquery() - deleted).label("total")

    @property
    def _is_live(self) -> ColumnElement[bool]:
        return self.model.deleted_at.is_(None) if hasattr(self.model, "deleted_at") else true()


def containing(text: str) -> str:
    """Return the pattern for LIKE, its escape a backslash, that finds *text* anywhere, taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@lru_cache(maxsize=512)
def _page(listing: Listing, sort: str, wanted: frozenset[str]) -> compiled:
    rows = _rows(listing, sort, wanted).limit(bindparam("limit")).offset(bindparam("offset"))
    return _with_what_is_shown(listing, sort, rows, listing.total(wanted))


@lru_cache(maxsize=512)
def _count(listing: Listing, wanted: frozenset[str]) -> compiled:
    return compiled(select(listing.total(wanted)))


@lru_cache(maxsize=512)
def _following(listing: Listing, sort: str, wanted: frozenset[str], has_begun: bool) -> compiled:
    rows = _rows(listing, sort, wanted).limit(bindparam("limit"))
    if has_begun:
        columns = listing.column(listing.model, sort), listing.model.id
        # Compared as a pair, they are where an index on both begins; said with OR, all before is looked at, too.
        position, last = tuple_(*columns), tuple_(*_bound(columns))
        rows = rows.where(position < last if sort.startswith("-") else position > last)
    return _with_what_is_shown(listing, sort, rows)


def _bound(columns: tuple[Any, Any]) -> tuple[Any, Any]:
    return bindparam("last", type_=columns[0].type), bindparam("last_id", type_=columns[1].type)


def _rows(listing: Listing, sort: str, wanted: frozenset[str]) -> Select[Any]:
    return select(listing.model).where(listing.fits(wanted)).order_by(*listing.order(listing.model, sort))


def _with_what_is_shown(listing: Listing, sort: str, rows: Select[Any], *more: ColumnElement[Any]) -> compiled:
    """What is shown is looked up for the rows of the page only."""
    row = aliased(listing.model, rows.subquery())
    shown = listing.shown(row).add_columns(listing.column(row, sort).label("position"), *more)
    return compiled(shown.order_by(*listing.order(row, sort)))
