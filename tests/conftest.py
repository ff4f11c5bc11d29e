"""Fixtures that any test may use."""

import os
import ssl
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.support.databases import KINDS, fresh_database, migrated_database
from tests.support.redis import RedisServer

pytest_plugins = [
    "tests.support.budgets",
    "tests.support.examples",
    "tests.support.fixtures",
    "tests.support.scheduling",
    "tests.support.servers",
    "tests.support.services",
]

# Each client of httpx reads the bundle of trusted certificates, which takes 20 to 50 ms. No test speaks TLS, and there
# are thousands of clients, so that they share what is read once.
ssl.create_default_context = cache(ssl.create_default_context)

# The tests start the program about a hundred times. Without cached byte code it compiles all that it imports each time,
# which takes 4 of 6 seconds. Some container images turn the cache off.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(params=KINDS)
def database_kind(request):
    """Each kind of database; `parametrize("database_kind", …)` narrows it down."""
    return request.param


@pytest.fixture
def database_url(database_kind, tmp_path):
    """A new and empty database."""
    return fresh_database(database_kind, tmp_path)


@pytest.fixture
def migrated_url(database_kind, tmp_path):
    """A new database with all tables, which are empty."""
    return migrated_database(database_kind, tmp_path)


@pytest.fixture
def redis():
    """A Redis that is empty, and may be stopped."""
    # The path of a socket may not be long.
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        server = RedisServer(Path(folder))
        yield server
        server.kill()
