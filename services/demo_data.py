"""Demo data: a small shop."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import BinaryIO
from uuid import UUID

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from accord.identity import users
from accord.identity.passwords import PasswordHasher
from accord.storage.files import FileStorage
from db import Base
from db.columns import new_id
from db.models import Category, Customer, File, Order, Post, Product, Task, User
from db.text import casefold
from db.unit_of_work import lock_exclusively
from services import categories, customers, files, orders, products

LOGINS = {role: (role, f"{role}-demo-password") for role in ("admin", "manager", "customer")}
"""Username and password of the demo user of each role."""

EXAMPLE_ID = UUID("01938a4e-6f2b-7c3d-8e4f-5a6b7c8d9e0f")
"""Id in the examples of the contract. The rows that the examples describe have it, so that `/docs` can send them."""

_EXAMPLES = {
    "customer",
    "Electronics",
    "MI-TV-43",
    "Vinod",
    "Renew the licence of the shop",
    "Open till nine before Diwali",
}
_CATEGORIES = {"Groceries": "What a kitchen needs.", "Electronics": "Everything with a plug."}
_PRODUCTS = [
    ("AMUL-BUTTER-500", "Amul Butter", "Salted butter, 500 g.", "50.00", 120, "Groceries", ["Dairy"]),
    ("TATA-TEA-500", "Tata Tea", "Black tea from Assam, 500 g.", "200.00", 80, "Groceries", ["Tea"]),
    ("PARLE-G-100", "Parle-G Biscuits", "Glucose biscuits, 100 g.", "10.00", 500, "Groceries", ["Biscuits"]),
    ("MI-TV-43", "Mi LED TV", "A 43 inch television.", "32999.00", 25, "Electronics", ["TV", "Smart"]),
    ("GALAXY-S23", "Samsung Galaxy S23", "A telephone, 128 GB.", "64999.00", 12, "Electronics", ["Phone", "Smart"]),
    ("TATA-SALT-1000", "Tata Salt", "Iodised salt, 1 kg.", "28.00", 0, "Groceries", []),
]
_CUSTOMERS = [
    ("Vinod", "Bangalore", "vinod@vinod.co", "+919731424784", "orange"),
    ("John", "Delhi", "john@example.com", None, None),
]
_ORDERS = [
    ("admin", "For the office.", {"TATA-TEA-500": 3}, []),
    ("customer", "Please ring twice.", {"AMUL-BUTTER-500": 2, "PARLE-G-100": 10}, ["paid", "shipped"]),
    ("customer", "The same as last week.", {"TATA-TEA-500": 1, "PARLE-G-100": 2}, []),
]


def _row_id(session: Session, model: type[Base], name: str) -> UUID:
    """Return the id of the examples for the row that they describe, unless it is taken; a new id for other rows."""
    is_example = name in _EXAMPLES and session.get(model, EXAMPLE_ID) is None
    return EXAMPLE_ID if is_example else new_id()


def _orders(session: Session) -> Iterator[str]:
    for role, note, basket, steps in _ORDERS:
        owner_id = session.scalars(select(User.id).where(User.username_key == casefold(LOGINS[role][0]))).one()
        if session.scalar(select(Order.id).where(Order.owner_id == owner_id, Order.note == note)) is None:
            ids = {sku: session.scalar(select(Product.id).where(Product.sku == sku)) for sku in basket}
            items = [{"product_id": ids[sku], "quantity": quantity} for sku, quantity in basket.items()]
            order = orders.place(session, owner_id, items=items, note=note)
            for status in steps:
                orders.set_status(session, owner_id, order["id"], status)
            yield order["number"]


_TASKS = [
    ("customer", "Pick up the television", None, "pending", date(2026, 12, 24)),
    ("manager", "Order more Tata Salt", "Nothing is left of it.", "pending", date(2026, 12, 1)),
    ("manager", "Count the biscuits", "The shelf at the door, and the boxes behind it.", "completed", None),
    ("admin", "Renew the licence of the shop", None, "pending", date(2027, 3, 31)),
]
_POSTS = [
    ("customer", "Which tea goes with Parle-G?", "I say Assam, my brother says there is no other question.", True),
    ("manager", "New televisions have come", "25 of them, 43 inches each. Come and see.", True),
    ("manager", "What to do about the biscuits", "They vanish faster than we sell them. Not to be told yet.", False),
    ("admin", "Open till nine before Diwali", "From Monday on the shop is open till nine in the evening.", True),
]


def _tasks_and_posts(session: Session) -> Iterator[str]:
    users = {
        role: session.scalar(select(User.id).where(User.username_key == casefold(username)))
        for role, (username, _) in LOGINS.items()
    }
    for role, title, description, status, due_date in _TASKS:
        identity = {"owner_id": users[role], "title": title}
        if session.scalar(select(Task.id).filter_by(**identity)) is None:
            row_id = _row_id(session, Task, title)
            session.add(Task(id=row_id, **identity, description=description, status=status, due_date=due_date))
            yield title
    for role, title, content, published in _POSTS:
        identity = {"author_id": users[role], "title": title}
        if session.scalar(select(Post.id).filter_by(**identity)) is None:
            search = casefold(f"{title}\n{content}")
            row_id = _row_id(session, Post, title)
            session.add(Post(id=row_id, **identity, content=content, search=search, published=published))
            yield title


_FILES = [
    ("customer", "receipt.pdf", "application/pdf", "The receipt of the television."),
    ("admin", "shop-front.png", "image/png", None),
]
_FORMATS = {"application/pdf": "PDF", "image/png": "PNG"}


@dataclass(frozen=True)
class _Drawing:
    """An upload: an image of one colour, as PDF or PNG."""

    name: str
    media_type: str
    colour: str = "white"

    @property
    def file(self) -> BinaryIO:
        content = BytesIO()
        Image.new("RGB", (64, 48), self.colour).save(content, _FORMATS[self.media_type])
        return content


def _customers(session: Session, file_storage: FileStorage) -> Iterator[str]:
    for name, location, email, phone, colour in _CUSTOMERS:
        if session.scalar(select(Customer.id).where(Customer.email_key == casefold(email))) is None:
            photo = _Drawing(name, "image/png", colour) if colour else None
            members = {"name": name, "location": location, "email": email, "phone": phone}
            customers.create(session, file_storage, id=_row_id(session, Customer, name), **members, photo=photo)
            yield name


def _files(session: Session, file_storage: FileStorage) -> Iterator[str]:
    for role, name, media_type, description in _FILES:
        owner_id = session.scalars(select(User.id).where(User.username_key == casefold(LOGINS[role][0]))).one()
        if session.scalar(select(File.id).where(File.owner_id == owner_id, File.name == name)) is None:
            files.create(session, file_storage, owner_id, file=_Drawing(name, media_type), description=description)
            yield name


def load(session: Session, password_hasher: PasswordHasher, file_storage: FileStorage) -> Iterator[str]:
    """Add the missing demo data, and yield the name of each added row. Several processes can do it at once."""
    lock_exclusively(session, "demo data")
    for role, (username, password) in LOGINS.items():
        if session.scalar(select(User.id).where(User.username_key == casefold(username))) is None:
            email = f"{username}@example.com"
            user = {"username": username, "email": email, "password": password, "name": role.capitalize()}
            users.create(session, password_hasher, id=_row_id(session, User, username), **user, role=role)
            yield username
    ids = {}
    for name, description in _CATEGORIES.items():
        category_id = session.scalar(select(Category.id).where(Category.name_key == casefold(name)))
        if category_id is None:
            category_id = _row_id(session, Category, name)
            categories.create(session, id=category_id, name=name, description=description)
            yield name
        ids[name] = category_id
    for sku, name, description, price, stock, category, tags in _PRODUCTS:
        if session.scalar(select(Product.id).where(Product.sku == sku)) is None:
            members = {"sku": sku, "name": name, "description": description, "price": Decimal(price), "stock": stock}
            row = {"id": _row_id(session, Product, sku), **members, "category_id": ids[category], "tags": tags}
            products.bulk_create(session, [row])
            yield name
    yield from _customers(session, file_storage)
    yield from _orders(session)
    yield from _tasks_and_posts(session)
    yield from _files(session, file_storage)
