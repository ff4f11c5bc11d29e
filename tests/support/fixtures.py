"""The running service and its callers, for all tests that speak HTTP."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from accord.app.documents import PUBLISHED
from services.demo_data import LOGINS
from tests.support.contract_client import ContractClient, PublishedContract, PublishedContracts
from tests.support.databases import KINDS
from tests.support.server import demo_shop


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """Return the service on demo data with these settings; one process for all tests that ask for the same."""
    running = {}

    def shared(kind, **settings):
        key = kind, *sorted(settings.items())
        if key not in running:
            running[key] = demo_shop(kind, tmp_path_factory.mktemp(kind), **settings)
        return running[key]

    yield shared
    for server in running.values():
        server.stop()


@pytest.fixture(scope="session", params=KINDS)
def server(request, shared_server):
    """The service on a database of either kind; pytest sets this up anew whenever the kind changes."""
    return shared_server(request.param)


@pytest.fixture(scope="session")
def published(server):
    return PublishedContracts(*(PublishedContract(httpx.get(server.base + at).json()) for at in PUBLISHED.values()))


@pytest.fixture(scope="session")
def tokens(server):
    """An access token for each role."""
    made = {}
    for role, (username, password) in LOGINS.items():
        answer = httpx.post(f"{server.base}/api/v1/auth/login", json={"username": username, "password": password})
        made[role] = answer.json()["access_token"]
    return made


@pytest.fixture
def store(server):
    """Say what is in the store of the service: the names of its files."""
    folder = Path(server.environment["ACCORD_DATA_DIR"]) / "files"
    return lambda: {file.name for file in folder.iterdir()}


@pytest.fixture
def anonymous(server, published):
    with ContractClient(published, base_url=server.base) as client:
        yield client


@pytest.fixture
def admin(server, published, tokens):
    with _client(server, published, tokens["admin"]) as client:
        yield client


@pytest.fixture
def manager(server, published, tokens):
    with _client(server, published, tokens["manager"]) as client:
        yield client


@pytest.fixture
def customer(server, published, tokens):
    with _client(server, published, tokens["customer"]) as client:
        yield client


@pytest.fixture
def stranger(server, published, anonymous):
    """A second customer, who has just registered."""
    login = {"username": f"s{uuid4().hex[:12]}", "password": "correct horse battery staple"}
    anonymous.post("/api/v1/auth/register", json={**login, "email": f"{login['username']}@shop.example"})
    token = anonymous.post("/api/v1/auth/login", json=login).json()["access_token"]
    with _client(server, published, token) as client:
        yield client


def _client(server, published, token):
    return ContractClient(published, base_url=server.base, headers={"Authorization": f"Bearer {token}"})
