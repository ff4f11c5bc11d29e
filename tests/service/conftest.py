"""Running services, as an operator may set them, and callers who write their own bytes."""

import itertools
import json

import httpx
import pytest

from services.demo import LOGINS
from tests.databases import fresh_database
from tests.server import Server
from tests.service.wire import Wire, exchange, request

JSON = "Content-Type: application/json"
_numbers = itertools.count(1)


class Shop:
    """What a caller needs to know of a running service to change something in it."""

    def __init__(self, server: Server) -> None:
        self.server, self.port, self.base = server, server.port, server.base
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
    """Start a service on a new database of a kind, with some settings; it ends with the tests of the module."""
    running = []

    def start(kind, database_url=None, **settings):
        folder = tmp_path_factory.mktemp(kind)
        server = Server(database_url or fresh_database(kind, folder), folder, **settings)
        running.append(server)
        return Shop(server)

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()
