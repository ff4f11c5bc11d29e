"""What both FastAPI peers take and give."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
from environment import ORDER_SCOPE, SCOPE, SECRET
from fastapi import Depends, Header, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field

Sort = Literal["name", "-name", "price", "-price", "created_at", "-created_at"]
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


class CategoryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

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


class ProductPage(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    items: list[ProductOut]
    total: int
    page: int
    per_page: int


class ProductIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, Field(pattern="^[A-Z0-9-]{3,32}$")]
    name: Annotated[str, Field(min_length=1, max_length=150)]
    description: Annotated[str | None, Field(max_length=5000)] = None
    price: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
    stock: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    category_id: UUID


def decode(token: str, scope: str) -> dict[str, Any]:
    try:
        payload = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from None
    if scope not in payload["scope"].split():
        raise HTTPException(403, "Not enough permissions")
    return payload


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    return decode(token, SCOPE)["sub"]


class ProductReference(BaseModel):
    id: UUID
    sku: str
    name: str


class OrderItemOut(BaseModel):
    product: ProductReference
    quantity: int
    unit_price: Decimal
    amount: Decimal


class UserReference(BaseModel):
    id: UUID
    username: str


class OrderOut(BaseModel):
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


class OrderItemIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product_id: UUID
    quantity: Annotated[int, Field(ge=1, le=1_000)]


class OrderIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[OrderItemIn], Field(min_length=1, max_length=100)]
    note: Annotated[str | None, Field(max_length=500)] = None

    @property
    def quantities(self) -> list[tuple[UUID, int]]:
        return [(item.product_id, item.quantity) for item in self.items]


def dump_order(order: dict[str, Any]) -> bytes:
    return OrderOut.model_validate(order).model_dump_json().encode()


IdempotencyKeyHeader = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


async def get_owner_id(token: Annotated[str, Depends(oauth2_scheme)]) -> UUID:
    return UUID(decode(token, ORDER_SCOPE)["sub"])


OwnerId = Annotated[UUID, Depends(get_owner_id)]
