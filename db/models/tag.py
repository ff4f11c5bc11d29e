from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CaseFolded, CreatedAt, Id
from db.triggers import counted


class Tag(Base):
    """A product tag, created with the first product that has it."""

    __tablename__ = "tags"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(50))
    name_key: Mapped[CaseFolded]
    created_at: Mapped[CreatedAt]

    __table_args__ = (Index("uq_tags_name_key", "name_key", unique=True), {"info": counted("catalogue")})
