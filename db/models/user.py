from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import SECRET, CaseFolded, CreatedAt, DeletedAt, Id, UpdatedAt, Versioned
from db.indexes import deleted_index, live_index
from db.triggers import counted


class User(Versioned, Base):
    """A user. The username and email of deleted users can be used again."""

    __tablename__ = "users"

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[CaseFolded]
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[CaseFolded]
    name: Mapped[str | None] = mapped_column(String(100))
    name_key: Mapped[CaseFolded | None]
    age: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(32))
    is_active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]

    __table_args__ = (
        CheckConstraint("age >= 0", name="age"),
        live_index("uq_users_username_key", "username_key", unique=True),
        live_index("uq_users_email_key", "email_key", unique=True),
        live_index("ix_users_age_id", "age", "id"),
        live_index("ix_users_created_at_id", "created_at", "id"),
        live_index("ix_users_role_id", "role", "id"),
        deleted_index("ix_users_deleted_at"),
        {"info": counted("posts", "username", "deleted_at")},
    )
