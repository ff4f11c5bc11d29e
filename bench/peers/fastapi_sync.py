"""FastAPI with synchronous SQLAlchemy on SQLite, in FastAPI's threads."""

from collections.abc import Iterator
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
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload, sessionmaker

engine = create_engine(
    DATABASE_URL, pool_size=POOL_SIZE, max_overflow=0, connect_args={"check_same_thread": False, "timeout": 30}
)
session_factory = sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


@event.listens_for(engine, "connect")
def set_sqlite_pragma(connection: Any, _: Any) -> None:
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    connection.execute("pragma foreign_keys=on")


def get_session() -> Iterator[Session]:
    with session_factory() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
LOADED = (joinedload(Product.category), selectinload(Product.tag_rows))


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/products/{product_id}", response_model=ProductOut)
def get_product(product_id: UUID, session: SessionDep) -> Any:
    product = session.scalar(
        select(Product).where(Product.id == product_id, Product.deleted_at.is_(None)).options(*LOADED)
    )
    if product is None:
        raise HTTPException(404, "Product not found")
    return product


@app.get("/products", response_model=ProductPage)
def list_products(
    session: SessionDep,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
    sort: Sort = "name",
) -> Any:
    kept = Product.deleted_at.is_(None)
    items = session.scalars(
        select(Product).where(kept).options(*LOADED).order_by(*ORDERS[sort]).limit(per_page).offset((page - 1) * per_page)
    ).all()
    total = session.scalar(select(func.count()).select_from(Product).where(kept))
    return {"items": items, "total": total, "page": page, "per_page": per_page}


@app.post("/products", status_code=201, response_model=ProductOut, dependencies=[Depends(get_current_user)])
def create_product(body: ProductIn, session: SessionDep) -> Any:
    category = session.get(Category, body.category_id)
    if category is None:
        raise HTTPException(422, "No such category")
    product = Product(**body.model_dump(), category=category, tag_rows=[])
    session.add(product)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "Another product has this SKU") from None
    return product


async def get_content(request: Request) -> bytes:
    return await request.body()


@app.post("/orders", status_code=201, response_model=OrderOut)
def create_order(
    body: OrderIn,
    key: IdempotencyKeyHeader,
    owner_id: OwnerId,
    content: Annotated[bytes, Depends(get_content)],
    session: SessionDep,
) -> Any:
    try:
        order = place_order(session, owner_id, key, content, body.quantities, body.note, dump_order)
    except OrderError as error:
        raise HTTPException(error.status, error.message) from None
    return Response(order, 201, media_type="application/json")
