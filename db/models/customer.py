from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CaseFolded, CreatedAt, DeletedAt, Id, UpdatedAt, Versioned
from db.indexes import deleted_index, live_index
from db.models.photo import Photo


class Customer(Versioned, Base):
    """
    A customer of the shop, without an account.

    `search` is the case-folded name and email. The email and phone of deleted customers can be used again.
    """

    __tablename__ = "customers"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[CaseFolded]
    location: Mapped[str | None] = mapped_column(String(120))
    location_key: Mapped[CaseFolded | None]
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[CaseFolded]
    phone: Mapped[str | None] = mapped_column(String(16))
    search: Mapped[CaseFolded]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]

    photo: Mapped[Photo | None] = relationship(cascade="all, delete-orphan")

    __table_args__ = (
        live_index("uq_customers_email_key", "email_key", unique=True),
        live_index("uq_customers_phone", "phone", unique=True),
        live_index("ix_customers_name_key_id", "name_key", "id"),
        live_index("ix_customers_created_at_id", "created_at", "id"),
        live_index("ix_customers_location_key_name_key_id", "location_key", "name_key", "id"),
        deleted_index("ix_customers_deleted_at"),
    )
