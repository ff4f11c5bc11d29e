from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import Base
from db.columns import DERIVED, CaseFolded, CreatedAt, DeletedAt, Id, Money, UpdatedAt, Versioned
from db.indexes import deleted_index, live_index
from db.models.category import Category
from db.models.product_tag import ProductTag
from db.triggers import counted


class Product(Versioned, Base):
    """
    A product of the shop. The sku of a deleted product can be used again.

    `search` is the case-folded name and description, `units_sold` the number of units in orders that are not cancelled.
    """

    __tablename__ = "products"

    id: Mapped[Id]
    sku: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(150))
    name_key: Mapped[CaseFolded]
    search: Mapped[CaseFolded]
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Money]
    stock: Mapped[int] = mapped_column(default=0)
    units_sold: Mapped[int] = mapped_column(BigInteger, server_default="0", info=DERIVED)
    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[DeletedAt]

    category: Mapped[Category] = relationship()
    tags: Mapped[list[ProductTag]] = relationship(order_by=ProductTag.position, cascade="all, delete-orphan")

    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("stock >= 0", name="stock"),
        live_index("uq_products_sku", "sku", unique=True),
        live_index("ix_products_name_key_id", "name_key", "id"),
        live_index("ix_products_price_id", "price", "id"),
        live_index("ix_products_stock_id", "stock", "id"),
        live_index("ix_products_created_at_id", "created_at", "id"),
        live_index("ix_products_units_sold_id", "units_sold", "id"),
        deleted_index("ix_products_deleted_at"),
        {"info": counted("catalogue")},
    )
