from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.models.tag import Tag
from db.triggers import counted


class ProductTag(Base):
    """A tag of a product, and its position among the product's tags."""

    __tablename__ = "product_tags"

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id", ondelete="RESTRICT"), primary_key=True, index=True)
    position: Mapped[int]

    __table_args__ = ({"info": counted("catalogue")},)

    tag: Mapped[Tag] = relationship(lazy="joined", innerjoin=True)
