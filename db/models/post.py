from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CreatedAt, DeletedAt, Folded, Id, UpdatedAt, Versioned
from db.indexes import deleted, live
from db.models.user import User


class Post(Versioned, Base):
    """Something that is announced, or is going to be. `search` is the folded title and content."""

    __tablename__ = "posts"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(255))
    content: Mapped[str] = mapped_column(Text)
    search: Mapped[Folded]
    published: Mapped[bool]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]

    author: Mapped[User] = relationship()

    __table_args__ = (
        live("ix_posts_created_at_id", "created_at", "id"),
        live("ix_posts_author_id_created_at_id", "author_id", "created_at", "id"),
        deleted("ix_posts_deleted_at"),
    )
