"""A small shop to look at."""

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Category, Customer, Product, User
from db.text import fold
from services import categories, customers, products, users
from services.passwords import Passwords

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
    ("Vinod", "Bangalore", "vinod@vinod.co", "+919731424784"),
    ("John", "Delhi", "john@example.com", None),
]


def _customers(session: Session) -> Iterator[str]:
    for name, location, email, phone in _CUSTOMERS:
        if session.scalar(select(Customer.id).where(Customer.email_key == fold(email))) is None:
            customers.create(session, name=name, location=location, email=email, phone=phone)
            yield name


def fill(session: Session, passwords: Passwords) -> Iterator[str]:
    """Add what is missing of the demo data, and yield the name of each thing that is added."""
    for role, (username, password) in LOGINS.items():
        if session.scalar(select(User.id).where(User.username_key == fold(username))) is None:
            email = f"{username}@example.com"
            person = {"username": username, "email": email, "password": password, "name": role.capitalize()}
            users.create(session, passwords, **person, role=role)
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
    yield from _customers(session)
