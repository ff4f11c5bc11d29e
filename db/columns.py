"""Column types for models: `id: Mapped[Id]`, `price: Mapped[Money]`, `created_at: Mapped[CreatedAt]`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from asyncpg.pgproto import pgproto
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from uuid_utils import uuid7

from db.types import Amount, UTCDateTime, casefolded

__all__ = [
    "DERIVED",
    "SECRET",
    "CaseFolded",
    "CreatedAt",
    "DeletedAt",
    "Id",
    "Money",
    "Total",
    "UTCDateTime",
    "UpdatedAt",
    "Versioned",
    "new_id",
    "utc_now",
]

DERIVED = {"derived": True}
"""`info` of a column that is computed from others or from the time of writing. The audit log omits it."""
SECRET = {"secret": True}
"""`info` of a column with secret values. The audit log names the column without its values."""


def utc_now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a new UUID of version 7 (RFC 9562), which sorts by time and cannot be guessed."""
    # This subclass is written as text 10 times as fast as UUID: see `db/types.py`.
    return pgproto.UUID(uuid7().bytes)  # type: ignore[no-any-return]  # asyncpg has no types.


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id, info=DERIVED)]
Money = Annotated[Decimal, mapped_column(Amount)]
Total = Annotated[Decimal, mapped_column(Amount(17))]
CaseFolded = Annotated[str, mapped_column(casefolded(), info=DERIVED)]
CreatedAt = Annotated[datetime, mapped_column(default=utc_now, info=DERIVED)]
UpdatedAt = Annotated[datetime, mapped_column(default=utc_now, onupdate=utc_now, info=DERIVED)]
DeletedAt = Annotated[datetime | None, mapped_column()]


class Versioned:
    """A model with optimistic locking: an update of a row that has changed since it was read fails to serialize."""

    version: Mapped[int] = mapped_column(default=1, info=DERIVED)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  # SQLAlchemy calls it with the class.
        return {"version_id_col": cls.version}
