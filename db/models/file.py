from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import DERIVED, CaseFolded, CreatedAt, Id, UpdatedAt, Versioned


class File(Versioned, Base):
    """A document or image of a user. Its content is the file `storage_key`."""

    __tablename__ = "files"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255))
    name_key: Mapped[CaseFolded]
    media_type: Mapped[str] = mapped_column(String(100))
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    description: Mapped[str | None] = mapped_column(String(500))
    storage_key: Mapped[str] = mapped_column(String(64), info=DERIVED)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        CheckConstraint("bytes > 0", name="bytes"),
        Index("uq_files_storage_key", "storage_key", unique=True),
        Index("ix_files_created_at_id", "created_at", "id"),
        Index("ix_files_owner_id_created_at_id", "owner_id", "created_at", "id"),
    )
