"""Fixtures of the database's tests."""

import asyncio

import pytest

from db.database import open_database
from tests.db.catalogue import fill


@pytest.fixture
def tell(database_kind, migrated_url):
    """Tell a story, an async function of a database, on a database with one category and one product."""

    def tell(story, **limits):
        async def told():
            database = open_database(migrated_url, **limits)
            try:
                await database.run("write", fill)
                return await story(database)
            finally:
                await database.close()

        return asyncio.run(told())

    tell.kind, tell.url = database_kind, migrated_url
    return tell
