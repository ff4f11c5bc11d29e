"""Fixtures that any test may use."""

import pytest

from tests.databases import KINDS, fresh_database, migrated_database

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
