"""Pages of a list, by number or by cursor, and the signing of cursors."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, TypedDict, cast

FIRST = "*"
"""The cursor of the first page."""


class Page(TypedDict, total=False):
    """
    A page of a list, and the parameters of its query by their names.

    A page by number has `page` and `next_page`. A page by cursor has `cursor` and `next_cursor`, and counts of None.
    """

    items: Sequence[Any]
    total: int | None
    page: int
    pages: int | None
    next_page: int | None
    prev_page: int | None
    per_page: int
    cursor: str
    next_cursor: str | None


class InvalidCursor(Exception):
    """The cursor was not signed by this installation, or belongs to another list or filter."""


def number_page(items: Sequence[Any], *, total: int, page: int, per_page: int, query: Mapping[str, Any]) -> Page:
    """Return page number *page* of *total* items. It echoes the parameters of *query* that are not None."""
    pages = max(-(-total // per_page), 1)
    result: Page = {
        "items": items,
        "total": total,
        "page": page,
        "pages": pages,
        "next_page": page + 1 if page < pages else None,
        "prev_page": min(page - 1, pages) if page > 1 else None,
        "per_page": per_page,
    }
    return _with_query(result, query)


def cursor_page(
    items: Sequence[Any], *, cursor: str, next_cursor: str | None, per_page: int, query: Mapping[str, Any]
) -> Page:
    """Return the page after *cursor*, without counts. It echoes the parameters of *query* that are not None."""
    result: Page = {
        "items": items,
        "total": None,
        "pages": None,
        "prev_page": None,
        "per_page": per_page,
        "cursor": cursor,
        "next_cursor": next_cursor,
    }
    return _with_query(result, query)


class CursorSigner:
    """Signs and verifies cursors. The signature covers the query that a cursor belongs to."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        """*secret* returns the key that all servers of the installation share, at most 64 bytes."""
        self._secret = secret

    def sign(self, row: Sequence[Any], query: Mapping[str, Any]) -> str:
        """Return the signed cursor of *row*, the sort values of a row."""
        position = json.dumps([str(value) for value in row], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._signature(position, query) + position).rstrip(b"=").decode()

    def unsign(self, cursor: str, query: Mapping[str, Any]) -> list[str]:
        """Return the sort values in the cursor as text. Raises InvalidCursor."""
        try:
            raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
        signature, position = raw[:16], raw[16:]
        if not compare_digest(signature, self._signature(position, query)):
            raise InvalidCursor(
                "The cursor belongs to another list or filter. Use `next_cursor` of a page of this list."
            )
        values: list[str] = json.loads(position)
        return values

    def _signature(self, position: bytes, query: Mapping[str, Any]) -> bytes:
        query_text = json.dumps(_without_none(query), sort_keys=True, default=str).encode()
        return blake2b(query_text + b"\0" + position, key=self._secret(), digest_size=16).digest()


def _with_query(page: Page, query: Mapping[str, Any]) -> Page:
    return cast("Page", {**_without_none(query), **page})


def _without_none(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
