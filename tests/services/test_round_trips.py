"""What an operation may cost at most: how often it waits for PostgreSQL, counted on the wire."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest

from accord.identity import accounts
from db import audit
from db.columns import new_id
from db.database import open_database
from db.idempotency import IdempotencyStore
from db.models import Category, User
from services import orders, products
from tests.support.databases import migrated_database

KEYS = IdempotencyStore(timedelta(hours=1))
WAITS = b"QSH"
"""The messages after which a client waits: Query, Sync and Flush (PostgreSQL documentation, section 55.7)."""


class Wire:
    """A connection to PostgreSQL that counts the round trips."""

    def __init__(self, socket):
        self.socket = socket
        self.trips = 0
        self.tasks = []

    async def carry(self, client, answers):
        self.tasks.append(asyncio.current_task())
        server, requests = await asyncio.open_unix_connection(self.socket)
        backward = asyncio.create_task(copy(server, answers))
        startup = await client.readexactly(4)
        requests.write(startup + await client.readexactly(int.from_bytes(startup) - 4))
        try:
            while True:
                head = await client.readexactly(5)
                self.trips += head[:1] in [bytes([kind]) for kind in WAITS]
                requests.write(head + await client.readexactly(int.from_bytes(head[1:]) - 4))
        except asyncio.IncompleteReadError:
            requests.close()
            await backward
            await requests.wait_closed()


async def copy(reader, writer):
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def shop(url):
    """A database behind a wire, and the ids of a user, a category and three products."""
    name, _, folder = url.removeprefix("postgresql://postgres@/").partition("?host=")
    wire = Wire(f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = open_database(f"postgresql://postgres@127.0.0.1:{port}/{name}?sslmode=disable", pool_size=1)

    def fill(session):
        category = Category(name="Tea", name_key="tea")
        user = User(
            username="asha", username_key="asha", email="a@example.com", email_key="a@example.com", role="customer",
            password_hash="",
        )  # fmt: skip
        session.add_all([category, user])
        session.flush()
        return user.id, category.id, [new_product(category.id, session)["id"] for _ in range(3)]

    yield wire, database, *await database.run("write", fill)
    await database.close()
    await asyncio.gather(*wire.tasks)
    server.close()


def new_product(category_id, session, tags=("Green",)):
    members = {"name": "Kettle", "description": None, "price": Decimal("9.50"), "stock": 1_000}
    return products.create(session, sku=new_id().hex[-20:].upper(), category_id=category_id, tags=tags, **members)


def replaced_product(product_id, category_id, session):
    members = {"name": "Pot", "description": None, "price": Decimal("9.50"), "stock": 1_000, "tags": ("Green",)}
    return products.replace(session, product_id, sku=new_id().hex[-20:].upper(), category_id=category_id, **members)


def new_tags():
    return [new_id().hex for _ in range(20)]


def audited(write):
    def write_audited(session):
        audit.track(session, actor=new_id(), operation="write", request_id="r")
        return write(session)

    return write_audited


def once(write, session):
    """Write as a request with an idempotency key does."""
    key = {"caller": "asha", "operation": "write", "key": new_id().hex}
    assert KEYS.claim(session, **key, fingerprint="f") is None
    write(session)
    KEYS.save(session, **key, status=201, headers=[("location", "/")], body=b"{}")


OPERATIONS = {
    "read a product": (1, "read", lambda user, category, ids, session: products.get(session, ids[0])),
    "read an account": (1, "read", lambda user, category, ids, session: accounts.get_profile(session, user)),
    "create a product": (
        2, "write", lambda user, category, ids, session: audited(lambda s: new_product(category, s, ()))(session),
    ),
    "create a product with a known tag": (
        3, "write", lambda user, category, ids, session: audited(lambda s: new_product(category, s))(session),
    ),
    "create a product with 20 new tags": (
        4,
        "write",
        lambda user, category, ids, session: audited(lambda s: new_product(category, s, new_tags()))(session),
    ),
    "change a product": (
        3,
        "write",
        lambda user, category, ids, session: audited(
            lambda s: products.update(s, ids[0], price=Decimal(new_id().int % 1000 + 1))
        )(session),
    ),
    "replace a product with the same tags": (
        3,
        "write",
        lambda user, category, ids, session: audited(lambda s: replaced_product(ids[0], category, s))(session),
    ),
    "order three products with an idempotency key": (
        4,
        "write",
        lambda user, category, ids, session: once(
            audited(lambda s: orders.place(s, user, items=[{"product_id": id_, "quantity": 1} for id_ in ids])),
            session,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_round_trips_of_an_operation(tmp_path, operation):
    most, mode, perform = OPERATIONS[operation]
    url = migrated_database("postgresql", tmp_path)

    async def story():
        async with shop(url) as (wire, database, *ids):
            # The first two prepare the statements of the connection.
            for _ in range(2):
                await database.run(mode, perform, *ids)
            before = wire.trips
            await database.run(mode, perform, *ids)
            return wire.trips - before

    assert asyncio.run(story()) <= most
