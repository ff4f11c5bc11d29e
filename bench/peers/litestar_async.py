"""Litestar with msgspec and Advanced Alchemy on asyncpg."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from advanced_alchemy.extensions.litestar import AsyncSessionConfig, EngineConfig, SQLAlchemyAsyncConfig, SQLAlchemyPlugin
from environment import DATABASE_URL, ORDER_SCOPE, POOL_SIZE, SCOPE, SECRET
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, HTTPException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import Parameter
from litestar.security.jwt import JWTAuth, Token
from models import ORDERS, Category, Product
from msgspec import Meta, Struct
from order_statements import OrderError, place_order
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload


class CategoryOut(Struct):
    id: UUID
    name: str


class ProductOut(Struct):
    id: UUID
    sku: str
    name: str
    description: str | None
    price: Decimal
    stock: int
    category: CategoryOut
    tags: list[str]
    created_at: datetime
    updated_at: datetime


class ProductPage(Struct):
    items: list[ProductOut]
    total: int
    page: int
    per_page: int


class ProductIn(Struct, forbid_unknown_fields=True):
    sku: Annotated[str, Meta(pattern="^[A-Z0-9-]{3,32}$")]
    name: Annotated[str, Meta(min_length=1, max_length=150)]
    price: Decimal
    category_id: UUID
    description: Annotated[str, Meta(max_length=5000)] | None = None
    stock: Annotated[int, Meta(ge=0, le=2_147_483_647)] = 0

    def __post_init__(self) -> None:
        if not self.price > 0 or self.price != round(self.price, 2):
            raise ValueError("price must be above zero, with two places")


class ProductReference(Struct):
    id: UUID
    sku: str
    name: str


class OrderItemOut(Struct):
    product: ProductReference
    quantity: int
    unit_price: Decimal
    amount: Decimal


class UserReference(Struct):
    id: UUID
    username: str


class OrderOut(Struct):
    id: UUID
    number: str
    owner: UserReference
    customer_id: UUID | None
    items: list[OrderItemOut]
    total: Decimal
    status: str
    note: str | None
    created_at: datetime
    updated_at: datetime


class OrderItemIn(Struct, forbid_unknown_fields=True):
    product_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=1_000)]


class OrderIn(Struct, forbid_unknown_fields=True):
    items: Annotated[list[OrderItemIn], Meta(min_length=1, max_length=100)]
    note: Annotated[str, Meta(max_length=500)] | None = None


def dump_order(order: dict[str, Any]) -> bytes:
    return msgspec.json.encode(msgspec.convert(order, OrderOut))


class User(Struct):
    id: str
    scopes: list[str]


async def retrieve_user(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> User:
    return User(token.sub, token.extras["scope"].split())


def may_create(connection: ASGIConnection[Any, User, Any, Any], _: BaseRouteHandler) -> None:
    if SCOPE not in connection.user.scopes:
        raise PermissionDeniedException


def may_order(connection: ASGIConnection[Any, User, Any, Any], _: BaseRouteHandler) -> None:
    if ORDER_SCOPE not in connection.user.scopes:
        raise PermissionDeniedException


LOADED = (joinedload(Product.category), selectinload(Product.tag_rows))


@get("/health", exclude_from_auth=True)
async def health() -> dict[str, str]:
    return {"status": "ok"}


@get("/products/{product_id:uuid}", exclude_from_auth=True)
async def get_product(product_id: UUID, db_session: AsyncSession) -> ProductOut:
    product = await db_session.scalar(
        select(Product).where(Product.id == product_id, Product.deleted_at.is_(None)).options(*LOADED)
    )
    if product is None:
        raise NotFoundException
    return msgspec.convert(product, ProductOut, from_attributes=True)


@get("/products", exclude_from_auth=True)
async def list_products(
    db_session: AsyncSession,
    page: Annotated[int, Parameter(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Parameter(ge=1, le=100)] = 20,
    sort: Literal["name", "-name", "price", "-price", "created_at", "-created_at"] = "name",
) -> ProductPage:
    kept = Product.deleted_at.is_(None)
    items = await db_session.scalars(
        select(Product).where(kept).options(*LOADED).order_by(*ORDERS[sort]).limit(per_page).offset((page - 1) * per_page)
    )
    total = await db_session.scalar(select(func.count()).select_from(Product).where(kept))
    return ProductPage(msgspec.convert(items.all(), list[ProductOut], from_attributes=True), total or 0, page, per_page)


@post("/products", guards=[may_create])
async def create_product(data: ProductIn, db_session: AsyncSession) -> ProductOut:
    category = await db_session.get(Category, data.category_id)
    if category is None:
        raise ClientException("No such category", status_code=422)
    product = Product(**msgspec.structs.asdict(data), category=category, tag_rows=[])
    db_session.add(product)
    try:
        await db_session.commit()
    except IntegrityError:
        raise ClientException("Another product has this SKU", status_code=409) from None
    return msgspec.convert(product, ProductOut, from_attributes=True)


@post("/orders", guards=[may_order])
async def create_order(
    data: OrderIn,
    request: Request[User, Any, Any],
    key: Annotated[str, Parameter(header="Idempotency-Key", min_length=1, max_length=255)],
    db_session: AsyncSession,
) -> Response[bytes]:
    items = [(item.product_id, item.quantity) for item in data.items]
    content = await request.body()
    try:
        order = await db_session.run_sync(
            place_order, UUID(request.user.id), key, content, items, data.note, dump_order
        )
    except OrderError as error:
        raise HTTPException(error.message, status_code=error.status) from None
    return Response(order, media_type=MediaType.JSON, status_code=201)


app = Litestar(
    [health, get_product, list_products, create_product, create_order],
    plugins=[
        SQLAlchemyPlugin(
            SQLAlchemyAsyncConfig(
                connection_string=DATABASE_URL.replace("postgresql:", "postgresql+asyncpg:"),
                session_config=AsyncSessionConfig(expire_on_commit=False),
                engine_config=EngineConfig(pool_size=POOL_SIZE, max_overflow=0),
            )
        )
    ],
    on_app_init=[JWTAuth[User](retrieve_user_handler=retrieve_user, token_secret=SECRET, exclude=["/schema"]).on_app_init],
)
