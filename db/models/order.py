from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CreatedAt, Id, Total, UpdatedAt, Versioned
from db.models.order_item import OrderItem


class Order(Versioned, Base):
    """An order of a user. Its items and its total do not change."""

    __tablename__ = "orders"

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(String(15))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    note: Mapped[str | None] = mapped_column(String(500))
    total: Mapped[Total]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    items: Mapped[list[OrderItem]] = relationship(order_by=OrderItem.position)

    __table_args__ = (
        Index("uq_orders_number", "number", unique=True),
        Index("ix_orders_created_at_id", "created_at", "id"),
        Index("ix_orders_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_orders_status_created_at_id", "status", "created_at", "id"),
    )
