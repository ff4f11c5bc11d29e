"""Accord's tables, mapped as SQLAlchemy's documentation maps such tables; for the peers that use SQLAlchemy."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from db.text import casefold
from db.types import Amount, Identifier, UTCDateTime
from sqlalchemy import JSON, Column, DateTime, ForeignKey, Numeric, Table, Uuid
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    # How Accord stores these on SQLite is its own affair, so its types read them there.
    type_annotation_map = {
        UUID: Uuid().with_variant(Identifier(), "sqlite"),
        datetime: DateTime(timezone=True).with_variant(UTCDateTime(), "sqlite"),
        Decimal: Numeric(12, 2).with_variant(Amount(), "sqlite"),
    }


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


product_tags = Table(
    "product_tags",
    Base.metadata,
    Column("product_id", ForeignKey("products.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
    Column("position"),
)


def now() -> datetime:
    return datetime.now(UTC)


def folded(*names: str) -> Callable[[DefaultExecutionContext], str]:
    def default(context: DefaultExecutionContext) -> str:
        values = context.get_current_parameters()
        return casefold(" ".join(values[name] or "" for name in names))

    return default


class Product(Base):
    __tablename__ = "products"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    sku: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(default=folded("name"))
    description: Mapped[str | None]
    search: Mapped[str] = mapped_column(default=folded("name", "description"))
    price: Mapped[Decimal]
    stock: Mapped[int]
    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.id"))
    units_sold: Mapped[int] = mapped_column(default=0, deferred=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]

    category: Mapped[Category] = relationship()
    tag_rows: Mapped[list[Tag]] = relationship(secondary=product_tags, order_by=product_tags.c.position)

    @property
    def tags(self) -> list[str]:
        return [tag.name for tag in self.tag_rows]


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str]


class OrderItem(Base):
    __tablename__ = "order_items"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    unit_price: Mapped[Decimal]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str]
    note: Mapped[str | None]
    total: Mapped[Decimal]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    items: Mapped[list[OrderItem]] = relationship(order_by=OrderItem.position)


class OrderCounter(Base):
    __tablename__ = "order_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[list[list[str]] | None] = mapped_column(JSON)
    body: Mapped[bytes | None]
    created_at: Mapped[datetime]


ORDERS = {
    "name": (Product.name_key, Product.id),
    "-name": (Product.name_key.desc(), Product.id.desc()),
    "price": (Product.price, Product.id),
    "-price": (Product.price.desc(), Product.id.desc()),
    "created_at": (Product.created_at, Product.id),
    "-created_at": (Product.created_at.desc(), Product.id.desc()),
}
