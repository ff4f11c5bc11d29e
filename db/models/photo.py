from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CreatedAt


class Photo(Base):
    """The photo of a customer. Its content is the file `storage_key`."""

    __tablename__ = "photos"

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    storage_key: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(100))
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("bytes > 0", name="bytes"),
        CheckConstraint("width > 0", name="width"),
        CheckConstraint("height > 0", name="height"),
        Index("uq_photos_storage_key", "storage_key", unique=True),
    )
