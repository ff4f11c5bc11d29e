"""The tables, one module each."""

from db.models.api_key import ApiKey
from db.models.audit_event import AuditEvent
from db.models.cache_version import CacheVersion
from db.models.category import Category
from db.models.customer import Customer
from db.models.file import File
from db.models.idempotency_key import IdempotencyKey
from db.models.order import Order
from db.models.order_counter import OrderCounter
from db.models.order_item import OrderItem
from db.models.photo import Photo
from db.models.post import Post
from db.models.product import Product
from db.models.product_tag import ProductTag
from db.models.refresh_token import RefreshToken
from db.models.tag import Tag
from db.models.task import Task
from db.models.user import User
from db.models.user_session import UserSession

__all__ = [
    "ApiKey",
    "AuditEvent",
    "CacheVersion",
    "Category",
    "Customer",
    "File",
    "IdempotencyKey",
    "Order",
    "OrderCounter",
    "OrderItem",
    "Photo",
    "Post",
    "Product",
    "ProductTag",
    "RefreshToken",
    "Tag",
    "Task",
    "User",
    "UserSession",
]
