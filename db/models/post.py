from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import CaseFolded, CreatedAt, DeletedAt, Id, UpdatedAt, Versioned
from db.indexes import deleted_index, live_index
from db.models.user import User
from db.triggers import counted


class Post(Versioned, Base):
    """An announcement, published or a draft. `search` is the case-folded title and content."""

    __tablename__ = "posts"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(255))
    published: Mapped[bool]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]
    # These columns come last, because SQLite reads through them to reach those behind.
    content: Mapped[str] = mapped_column(Text)
    search: Mapped[CaseFolded]

    author: Mapped[User] = relationship()

    __table_args__ = (
        # The index covers the visibility condition, so that counting does not read the rows.
        live_index("ix_posts_created_at_id", "created_at", "id", "published", "author_id", "deleted_at"),
        live_index("ix_posts_author_id_created_at_id", "author_id", "created_at", "id"),
        deleted_index("ix_posts_deleted_at"),
        {"info": counted("posts")},
    )
