"""List queries: filters, sort order, and pages by number or by cursor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from db import pagination
from db.pagination import FIRST, CursorSigner, Page
from db.prepared import PreparedStatement, prepare
from db.text import casefold

Values = Mapping[str, Any]

_FROM_TEXT: dict[type, Callable[[str], Any]] = {str: str, int: int, Decimal: Decimal, datetime: datetime.fromisoformat}


@dataclass(frozen=True)
class ListQuery:
    """
    A list query over the live rows of `model`.

    `columns(row)` returns the SELECT of the columns of `row`, which is the model or an alias of it. `filters` has, for
    each name, the column that must equal the value, or a function from a bound parameter to a condition. The order is
    the `sort` of the query, or else `default_sort`, such as "-created_at". `sort_columns` has the attribute of each
    sort name that differs from it. A statement is prepared once for each order and each set of filters.

    NULLs come last in both directions. The sort column of a cursor is never NULL.
    """

    model: Any
    columns: Callable[[Any], Select[*tuple[Any, ...]]]
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort_columns: Mapping[str, str] = field(default_factory=dict)
    default_sort: str = "-created_at"

    def __hash__(self) -> int:
        return id(self)

    def find(
        self,
        session: Session,
        cursors: CursorSigner,
        values: Values,
        query: Values,
        *,
        page: int,
        per_page: int,
        cursor: str | None,
    ) -> Page:
        """Return the page after *cursor*, or page number *page* if *cursor* is None."""
        if cursor is None:
            return self.page(session, values, query, page=page, per_page=per_page)
        return self.page_after(session, cursors, values, query, cursor=cursor, per_page=per_page)

    def page(self, session: Session, values: Values, query: Values, *, page: int, per_page: int) -> Page:
        """Return page number *page* of the rows that match *values*. The page echoes the parameters in *query*."""
        sort, offset = query.get("sort", self.default_sort), (page - 1) * per_page
        items = _select_page(self, sort, frozenset(values)).all(session, limit=per_page, offset=offset, **values)
        total = items[0]["total"] if items else _count(self, frozenset(values)).all(session, **values)[0]["total"]
        return pagination.number_page(items, total=total, page=page, per_page=per_page, query=query)

    def page_after(
        self, session: Session, cursors: CursorSigner, values: Values, query: Values, *, cursor: str, per_page: int
    ) -> Page:
        """Return the page after *cursor* of the rows that match. Raises InvalidCursor for a cursor of another query."""
        sort = query.get("sort", self.default_sort)
        position: dict[str, Any] = {}
        if cursor != FIRST:
            value, last_id = cursors.unsign(cursor, query)
            position = {"last": _FROM_TEXT[self.column(self.model, sort).type.python_type](value), "last_id": last_id}
        statement = _select_after(self, sort, frozenset(values), bool(position))
        items = statement.all(session, limit=per_page + 1, **values, **position)
        has_next = len(items) > per_page
        items = items[:per_page]
        next_cursor = cursors.sign([items[-1]["position"], items[-1]["id"]], query) if has_next else None
        return pagination.cursor_page(items, cursor=cursor, next_cursor=next_cursor, per_page=per_page, query=query)

    def column(self, row: Any, sort: str) -> Any:
        """Return the sort column of *row*, the model or an alias of it, for a sort name with or without `-`."""
        name = sort.removeprefix("-")
        return getattr(row, self.sort_columns.get(name, name))

    def order(self, row: Any, sort: str) -> list[ColumnElement[Any]]:
        """Return the ORDER BY columns: the sort column, and the id for rows that are equal in it."""
        columns = (self.column(row, sort), row.id)
        order = [column.desc() if sort.startswith("-") else column.asc() for column in columns]
        # By default, PostgreSQL sorts NULL as the highest value, and SQLite as the lowest.
        return [order[0].nulls_last(), order[1]] if self.column(self.model, sort).nullable else order

    def where(self, names: frozenset[str]) -> ColumnElement[bool]:
        """Return the condition of live rows that match the filters *names*."""
        return and_(self._live_condition, *(self._condition(name) for name in sorted(names)))

    def total(self, names: frozenset[str]) -> ColumnElement[int]:
        """Return the subquery `total`, the number of live rows that match the filters *names*."""
        count = select(func.count()).select_from(self.model)
        if names or not hasattr(self.model, "deleted_at"):
            return count.where(self.where(names)).scalar_subquery().label("total")
        # Counting all rows and the few deleted ones costs less than testing each row.
        deleted = count.where(self.model.deleted_at.is_not(None)).scalar_subquery()
        return (count.scalar_subquery() - deleted).label("total")

    def _condition(self, name: str) -> Any:
        filter_ = self.filters[name if name in self.filters else name.rpartition("_")[0]]
        return filter_(bindparam(name)) if callable(filter_) else filter_ == bindparam(name)

    @property
    def _live_condition(self) -> ColumnElement[bool]:
        return self.model.deleted_at.is_(None) if hasattr(self.model, "deleted_at") else true()


def filter_values(**filters: Any) -> dict[str, Any]:
    """Return the values of the filters that are not None, by name. Item *n* of the list `q` is the filter `q_n`."""
    lists = {name: values for name, values in filters.items() if isinstance(values, list)}
    single = {name: value for name, value in filters.items() if value is not None and name not in lists}
    return single | {f"{name}_{n}": value for name, values in lists.items() for n, value in enumerate(values)}


def contains(column: Any) -> Callable[[Any], ColumnElement[bool]]:
    """Return the filter function that matches *column* with a pattern of `like_pattern` or `search_patterns`."""
    return lambda pattern: column.like(pattern, escape="\\")


def search_patterns(q: str | None) -> list[str]:
    """Return a LIKE pattern for each word of *q*, which matches case-folded text."""
    return [like_pattern(word) for word in casefold(q).split()] if q else []


def like_pattern(text: str) -> str:
    """Return the LIKE pattern that matches texts which contain *text*. Backslashes escape its wildcards."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@lru_cache(maxsize=512)
def _select_page(list_query: ListQuery, sort: str, names: frozenset[str]) -> PreparedStatement:
    rows = _rows(list_query, sort, names).limit(bindparam("limit")).offset(bindparam("offset"))
    return _select_columns(list_query, sort, rows, list_query.total(names))


@lru_cache(maxsize=512)
def _count(list_query: ListQuery, names: frozenset[str]) -> PreparedStatement:
    return prepare(select(list_query.total(names)))


@lru_cache(maxsize=512)
def _select_after(list_query: ListQuery, sort: str, names: frozenset[str], has_position: bool) -> PreparedStatement:
    rows = _rows(list_query, sort, names).limit(bindparam("limit"))
    if has_position:
        column, row_id = list_query.column(list_query.model, sort), list_query.model.id
        # A row comparison starts in the index at this position. With OR, all rows before would be read as well.
        position = tuple_(column, row_id)
        last = tuple_(bindparam("last", type_=column.type), bindparam("last_id", type_=row_id.type))
        rows = rows.where(position < last if sort.startswith("-") else position > last)
    return _select_columns(list_query, sort, rows)


def _rows(list_query: ListQuery, sort: str, names: frozenset[str]) -> Select[Any]:
    return select(list_query.model).where(list_query.where(names)).order_by(*list_query.order(list_query.model, sort))


def _select_columns(
    list_query: ListQuery, sort: str, rows: Select[Any], total: ColumnElement[int] | None = None
) -> PreparedStatement:
    """
    Return the statement that joins and computes columns for the rows of the page only.

    Rows have *total* or, if it is None, `position`: the sort column, for the cursor of the next page.
    """
    row = aliased(list_query.model, rows.subquery())
    last = list_query.column(row, sort).label("position") if total is None else total
    statement = list_query.columns(row).add_columns(last)
    return prepare(statement.order_by(*list_query.order(row, sort)))
