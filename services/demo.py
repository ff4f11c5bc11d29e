"""A small shop to look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import BinaryIO

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Category, Customer, File, Product, User
from db.text import fold
from services import categories, customers, files, products
from services.passwords import Passwords
from services.storage import Storage

LOGINS = {role: (role, f"{role}-demo-password") for role in ("admin", "manager", "customer")}
"""Username and password of the user with each role."""

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
_FILES = [
    ("customer", "receipt.pdf", "application/pdf", "The receipt of the television."),
    ("admin", "shop-front.png", "image/png", None),
]
_FORMATS = {"application/pdf": "PDF", "image/png": "PNG"}


@dataclass(frozen=True)
class _Drawing:
    """A page or a picture of one colour, as if it had been uploaded."""

    name: str
    media_type: str
    colour: str = "white"

    @property
    def file(self) -> BinaryIO:
        drawn = BytesIO()
        Image.new("RGB", (64, 48), self.colour).save(drawn, _FORMATS[self.media_type])
        return drawn


def _customers(session: Session, storage: Storage) -> Iterator[str]:
    for name, location, email, phone, colour in _CUSTOMERS:
        if session.scalar(select(Customer.id).where(Customer.email_key == fold(email))) is None:
            photo = _Drawing(name, "image/png", colour) if colour else None
            customers.create(session, storage, name=name, location=location, email=email, phone=phone, photo=photo)
            yield name


def _files(session: Session, storage: Storage) -> Iterator[str]:
    for role, name, media_type, description in _FILES:
        owner_id = session.scalars(select(User.id).where(User.username_key == fold(LOGINS[role][0]))).one()
        if session.scalar(select(File.id).where(File.owner_id == owner_id, File.name == name)) is None:
            files.create(session, storage, owner_id, file=_Drawing(name, media_type), description=description)
            yield name


def fill(session: Session, passwords: Passwords, storage: Storage) -> Iterator[str]:
    """Add what is missing of the demo data, and yield the name of each thing that is added."""
    for role, (username, password) in LOGINS.items():
        if session.scalar(select(User.id).where(User.username_key == fold(username))) is None:
            email = f"{username}@example.com"
            session.add(User(
                username=username, username_key=fold(username), email=email, email_key=fold(email),
                name=role.capitalize(), role=role, is_active=True, password_hash=passwords.hash(password),
            ))  # fmt: skip
            session.flush()
            yield username
    ids = {}
    for name, description in _CATEGORIES.items():
        known = session.scalar(select(Category.id).where(Category.name_key == fold(name)))
        ids[name] = known or categories.create(session, name=name, description=description).id
        if not known:
            yield name
    for sku, name, description, price, stock, category, tags in _PRODUCTS:
        if session.scalar(select(Product.id).where(Product.sku == sku)) is None:
            members = {"sku": sku, "name": name, "description": description, "price": Decimal(price), "stock": stock}
            products.create(session, **members, category_id=ids[category], tags=tags)
            yield name
    yield from _customers(session, storage)
    yield from _files(session, storage)
