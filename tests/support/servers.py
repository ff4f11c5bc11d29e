"""Running services, as an operator may set them, and callers who write their own bytes."""

import asyncio
import contextlib
import itertools
import json
import sqlite3

import asyncpg
import httpx
import pytest

from services.demo_data import LOGINS
from tests.support.databases import KINDS
from tests.support.server import Server, demo_shop
from tests.support.wire import Wire, exchange, request

JSON = "Content-Type: application/json"
_numbers = itertools.count(1)


class Shop:
    """What a caller needs to know of a running service to change something in it."""

    def __init__(self, server: Server) -> None:
        self.server, self.port, self.base = server, server.port, server.base
        self.database_url = server.environment["ACCORD_DATABASE_URL"]
        self.kind = self.database_url.partition(":")[0]
        self.token = self.log_in("admin")["access_token"]
        self.authorization = f"Authorization: Bearer {self.token}"
        self.category = httpx.get(f"{self.base}/api/v1/categories").json()["items"][0]["id"]

    def log_in(self, role):
        username, password = LOGINS[role]
        answer = httpx.post(f"{self.base}/api/v1/auth/login", json={"username": username, "password": password})
        return answer.raise_for_status().json()

    def wire(self, **options):
        return Wire(self.port, **options)

    def exchange(self, method, target, *lines, body=None, **options):
        """The answer to one request of one connection."""
        made = request(method, target, *lines, body=body, **options)
        return exchange(self.port, made, method=method.encode("latin-1"))

    def product(self, **members):
        """The body of a product that is not there yet, as bytes."""
        number = f"{id(self) % 100_000}-{next(_numbers)}"
        made = {"sku": f"W-{number}", "name": "Ghee", "price": "9.50", "category_id": self.category, **members}
        return json.dumps(made).encode()

    def create(self, *lines, body=None):
        """The bytes of a request that makes a product; it has a Content-Length if there is a body."""
        return request("POST", "/api/v1/products", self.authorization, JSON, *lines, body=body)

    def has(self, sku):
        """Whether there is a product of this SKU."""
        made = httpx.post(
            f"{self.base}/api/v1/products",
            content=self.product(sku=sku),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        if made.status_code == 201:
            httpx.delete(
                f"{self.base}{made.headers['Location']}", headers={"Authorization": f"Bearer {self.token}"}
            ).raise_for_status()
        assert made.status_code in {201, 409}, made.text
        return made.status_code == 409

    @contextlib.contextmanager
    def neighbour(self):
        """Another process at the same database: what gives it statements to do."""
        if self.kind == "sqlite":
            file = self.database_url.removeprefix("sqlite:///")
            with contextlib.closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
                yield lambda script: connection.executescript(script) and None
            return
        with asyncio.Runner() as runner:
            connection = runner.run(asyncpg.connect(self.database_url))
            try:
                yield lambda script: runner.run(connection.execute(script))
            finally:
                runner.run(connection.close())

    def select(self, statement):
        """The rows that are in the database."""
        if self.kind == "sqlite":
            with contextlib.closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as connection:
                return [tuple(row) for row in connection.execute(statement)]

        async def select():
            connection = await asyncpg.connect(self.database_url)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(select())

    def is_alive(self):
        return self.exchange("GET", "/health/live").status == 200


@pytest.fixture(scope="session")
def shop(server):
    return Shop(server)


@pytest.fixture
def wire(shop):
    with shop.wire() as wire:
        yield wire


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start a service on a new database of a kind, with some settings; it ends with the module."""
    running = []

    def start(kind, database_url=None, **settings):
        folder = tmp_path_factory.mktemp(kind)
        server = Server(database_url, folder, **settings) if database_url else demo_shop(kind, folder, **settings)
        running.append(server)
        return Shop(server)

    yield start
    for server in running:
        server.stop()


IMPATIENT = {
    "ACCORD_WRITE_TIMEOUT": "1",
    "ACCORD_BODY_TIMEOUT": "1",
    "ACCORD_DATABASE_POOL_SIZE": "2",
    "ACCORD_DATABASE_POOL_TIMEOUT": "0.5",
    "ACCORD_DATABASE_STATEMENT_TIMEOUT": "1",
    "ACCORD_HEADER_TIMEOUT": "1",
    "ACCORD_KEEP_ALIVE_TIMEOUT": "1",
}


@pytest.fixture(scope="session", params=KINDS)
def impatient(request, shared_server):
    """A service that waits for nothing long; tests may stop it, and do to its database what they like."""
    return Shop(shared_server(request.param, **IMPATIENT))
