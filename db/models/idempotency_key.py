from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CreatedAt


class IdempotencyKey(Base):
    """A key a caller sent with an operation, and the answer that a repetition gets."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(String(255), primary_key=True)
    operation: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(255))
    status: Mapped[int | None]
    headers: Mapped[list[list[str]] | None] = mapped_column(JSON)
    body: Mapped[bytes | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
