"""Column types that behave the same on both databases: UUIDs, amounts of money, times, JSON."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from asyncpg.pgproto import pgproto
from sqlalchemy import CHAR, BigInteger, DateTime, Dialect, Numeric, String, TypeDecorator, Uuid
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine


class Identifier(TypeDecorator[UUID]):
    """A UUID, which SQLite stores as canonical text. Bound values can also be that text."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_CanonicalText(36) if dialect.name == "sqlite" else Uuid())


class Amount(TypeDecorator[Decimal]):
    """An exact amount of money with two decimal places. Binding a value with more raises ValueError."""

    impl = Numeric
    cache_ok = True

    def __init__(self, digits: int = 12) -> None:
        super().__init__(digits, 2)
        self.digits = digits

    @property
    def python_type(self) -> type[Decimal]:
        return Decimal

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_Cents() if dialect.name == "sqlite" else Numeric(self.digits, 2))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        amount = value.quantize(_CENT)
        if amount != value:
            raise ValueError("An amount of money can have at most two decimal places.")
        return amount


class UTCDateTime(TypeDecorator[datetime]):
    """A time, always aware and in UTC. Binding a naive datetime raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_IsoText() if dialect.name == "sqlite" else DateTime(timezone=True))  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A datetime must have a time zone.")
        return value.astimezone(UTC)


def casefolded() -> String:
    """Return the type of text made by `db.text.casefold`, which sorts by code points on both databases."""
    return String().with_variant(String(collation="C"), "postgresql")


def json_text(value: Any) -> str:
    """Return the text of a JSON value. Datetimes in it become RFC 3339 in UTC. Raises TypeError for other objects."""
    return orjson.dumps(value, _subclass_to_json, orjson.OPT_UTC_Z).decode()


def _subclass_to_json(value: object) -> str:
    # orjson writes UUIDs, but not instances of subclasses.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON.")


_CENT = Decimal("0.01")


class _CanonicalText(CHAR):
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        # The PostgreSQL driver returns this subclass of UUID, which is parsed and written 10 times as fast. Its module
        # is not documented, so pyproject.toml has an upper bound on the version of asyncpg.
        return lambda value: None if value is None else pgproto.UUID(value)


class _Cents(BigInteger):
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return lambda value: None if value is None else int(value.scaleb(2))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return lambda value: None if value is None else _CENT * value


class _IsoText(sqlite.DATETIME):
    """Text of fixed length with the offset, which sorts by time and is read as an aware datetime."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return lambda value: None if value is None else value.isoformat(timespec="microseconds")
