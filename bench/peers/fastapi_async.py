"""FastAPI with async SQLAlchemy on asyncpg."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from environment import DATABASE_URL, POOL_SIZE
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi_schemas import (
    IdempotencyKeyHeader,
    OrderIn,
    OrderOut,
    OwnerId,
    ProductIn,
    ProductOut,
    ProductPage,
    Sort,
    dump_order,
    get_current_user,
)
from models import ORDERS, Category, Product
from order_statements import OrderError, place_order
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload, selectinload

engine = create_async_engine(
    DATABASE_URL.replace("postgresql:", "postgresql+asyncpg:"), pool_size=POOL_SIZE, max_overflow=0
)
async_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with async_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]
LOADED = (joinedload(Product.category), selectinload(Product.tag_rows))


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/products/{product_id}", response_model=ProductOut)
async def get_product(product_id: UUID, session: SessionDep) -> Any:
    product = await session.scalar(
        select(Product).where(Product.id == product_id, Product.deleted_at.is_(None)).options(*LOADED)
    )
    if product is None:
        raise HTTPException(404, "Product not found")
    return product


@app.get("/products", response_model=ProductPage)
async def list_products(
    session: SessionDep,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
    sort: Sort = "name",
) -> Any:
    kept = Product.deleted_at.is_(None)
    items = await session.scalars(
        select(Product).where(kept).options(*LOADED).order_by(*ORDERS[sort]).limit(per_page).offset((page - 1) * per_page)
    )
    total = await session.scalar(select(func.count()).select_from(Product).where(kept))
    return {"items": items.all(), "total": total, "page": page, "per_page": per_page}


@app.post("/products", status_code=201, response_model=ProductOut, dependencies=[Depends(get_current_user)])
async def create_product(body: ProductIn, session: SessionDep) -> Any:
    category = await session.get(Category, body.category_id)
    if category is None:
        raise HTTPException(422, "No such category")
    product = Product(**body.model_dump(), category=category, tag_rows=[])
    session.add(product)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "Another product has this SKU") from None
    return product


@app.post("/orders", status_code=201, response_model=OrderOut)
async def create_order(
    body: OrderIn, key: IdempotencyKeyHeader, owner_id: OwnerId, request: Request, session: SessionDep
) -> Any:
    content = await request.body()
    try:
        order = await session.run_sync(place_order, owner_id, key, content, body.quantities, body.note, dump_order)
    except OrderError as error:
        raise HTTPException(error.status, error.message) from None
    return Response(order, 201, media_type="application/json")
