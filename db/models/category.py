from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CaseFolded, CreatedAt, Id, UpdatedAt, Versioned
from db.triggers import counted


class Category(Versioned, Base):
    """A category of products. It cannot be deleted while it has products."""

    __tablename__ = "categories"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[CaseFolded]
    description: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("uq_categories_name_key", "name_key", unique=True),
        {"info": counted("catalogue")},
    )
