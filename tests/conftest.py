"""Fixtures that any test may use."""

import tempfile
from pathlib import Path

import pytest

from tests.databases import KINDS, fresh_database, migrated_database
from tests.redis import RedisServer

pytest_plugins = ["tests.fixtures"]


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
