from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CreatedAt, DeletedAt, Folded, Id, UpdatedAt, Versioned
from db.indexes import deleted, live
from db.models.photo import Photo


class Customer(Versioned, Base):
    """
    A customer of the shop, without an account.

    `search` is the folded name and email; the email and phone of deleted customers can be used again.
    """

    __tablename__ = "customers"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[Folded]
    location: Mapped[str | None] = mapped_column(String(120))
    location_key: Mapped[Folded | None]
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[Folded]
    phone: Mapped[str | None] = mapped_column(String(16))
    search: Mapped[Folded]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]

    photo: Mapped[Photo | None] = relationship(cascade="all, delete-orphan")

    __table_args__ = (
        live("uq_customers_email_key", "email_key", unique=True),
        live("uq_customers_phone", "phone", unique=True),
        live("ix_customers_name_key_id", "name_key", "id"),
        live("ix_customers_created_at_id", "created_at", "id"),
        live("ix_customers_location_key_name_key_id", "location_key", "name_key", "id"),
        deleted("ix_customers_deleted_at"),
    )
