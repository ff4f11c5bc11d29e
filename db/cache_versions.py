"""Cache versions, by which the response cache knows which entries are stale."""

import asyncio

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from db import Base
from db.database import Database
from db.models import CacheVersion
from db.prepared import prepare

TAGS = frozenset(table.info["cache_tag"] for table in Base.metadata.tables.values() if "cache_tag" in table.info)
"""The cache tags, which the models name. Triggers of the database count their versions."""


class CacheVersions:
    """The cache version of each cache tag. It changes with every commit that changes data of the tag."""

    tags = TAGS

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading: asyncio.Task[dict[str, int]] | None = None
        self._next: asyncio.Task[dict[str, int]] | None = None

    async def current(self) -> dict[str, int]:
        """Return the versions as of a time after the call. Concurrent calls share one query."""
        if self._next is None:
            self._next = asyncio.create_task(self._read(self._reading))
        # A cancelled caller must not cancel the query that other callers wait for.
        return await asyncio.shield(self._next)

    async def _read(self, previous: asyncio.Task[dict[str, int]] | None) -> dict[str, int]:
        # A query that began before the call may have missed a commit in between.
        if previous and not previous.done():
            await asyncio.wait([previous])
        self._reading = self._next
        self._next = None
        return await self._database.run("read", _read_versions)


def _read_versions(session: Session) -> dict[str, int]:
    return {row["tag"]: row["version"] for row in _CURRENT.all(session)}


_CURRENT = prepare(
    select(CacheVersion.tag, cast(func.sum(CacheVersion.version), BigInteger).label("version")).group_by(
        CacheVersion.tag
    )
)
