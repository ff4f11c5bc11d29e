from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CreatedAt, Id, UpdatedAt, Versioned
from db.models.user import User


class Task(Versioned, Base):
    """A task of a user."""

    __tablename__ = "tasks"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(150))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(32))
    due_date: Mapped[date | None]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    owner: Mapped[User] = relationship()

    __table_args__ = (
        Index("ix_tasks_created_at_id", "created_at", "id"),
        Index("ix_tasks_owner_id_created_at_id", "owner_id", "created_at", "id"),
    )
