"""The tables, one module each."""

from db.models.audit_event import AuditEvent
from db.models.category import Category
from db.models.customer import Customer
from db.models.idempotency_key import IdempotencyKey
from db.models.photo import Photo
from db.models.product import Product
from db.models.product_tag import ProductTag
from db.models.refresh_token import RefreshToken
from db.models.tag import Tag
from db.models.user import User
from db.models.user_session import UserSession

__all__ = [
    "AuditEvent",
    "Category",
    "Customer",
    "IdempotencyKey",
    "Photo",
    "Product",
    "ProductTag",
    "RefreshToken",
    "Tag",
    "User",
    "UserSession",
]
