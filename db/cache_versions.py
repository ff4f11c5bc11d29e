"""Version counters of what responses show, so that the response cache can tell which entries are stale."""

import asyncio

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from db.database import Database
from db.models import CacheVersion
from db.prepared import prepare

TAGS = frozenset({"catalogue", "posts"})
"""The counters, each kept by triggers of the database; see the migration that creates them."""


class CacheVersions:
    """The version of each noun, which changes with every commit that changes what responses show of it."""

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

    async def _read(self, under_way: asyncio.Task[dict[str, int]] | None) -> dict[str, int]:
        # A query that began before the call may have missed a commit in between.
        if under_way and not under_way.done():
            await asyncio.wait([under_way])
        self._reading, self._next = self._next, None
        return await self._database.run("read", _read)


def _read(session: Session) -> dict[str, int]:
    return {row["tag"]: row["version"] for row in _CURRENT.all(session)}


_CURRENT = prepare(
    select(CacheVersion.tag, cast(func.sum(CacheVersion.version), BigInteger).label("version")).group_by(
        CacheVersion.tag
    )
)
