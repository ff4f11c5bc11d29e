from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CreatedAt


class IdempotencyKey(Base):
    """An idempotency key of a caller and operation, and the response to replay."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(String(255), primary_key=True)
    operation: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(255))
    status: Mapped[int | None]
    headers: Mapped[list[list[str]] | None] = mapped_column(JSON)
    body: Mapped[bytes | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
