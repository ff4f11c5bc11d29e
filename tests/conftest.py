"""Fixtures that any test may use."""

import pytest

from db import migrations
from tests.databases import KINDS, fresh_database

pytest_plugins = ["tests.fixtures"]


@pytest.fixture(params=KINDS)
def database_url(request, tmp_path):
    """A new and empty database of either kind."""
    return fresh_database(request.param, tmp_path)


@pytest.fixture
def migrated_url(database_url):
    """A new database of either kind with all tables."""
    migrations.upgrade(database_url)
    return database_url
