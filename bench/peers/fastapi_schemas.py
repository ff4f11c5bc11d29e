"""What both FastAPI peers take and give."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import jwt
from environment import SCOPE, SECRET
from fastapi import Depends, HTTPException
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


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    try:
        payload = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from None
    if SCOPE not in payload["scope"].split():
        raise HTTPException(403, "Not enough permissions")
    return payload["sub"]
