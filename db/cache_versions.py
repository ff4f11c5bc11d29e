"""How often has changed what answers show, so that whoever keeps them knows when they are stale."""

import asyncio

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from db.database import Database
from db.models import CacheVersion
from db.prepared import prepare

TAGS = frozenset({"catalogue", "posts"})
"""What is counted: see the migration that made the triggers."""


class CacheVersions:
    """The generation of each noun: another one as soon as a commit has changed what is shown of it."""

    tags = TAGS

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading: asyncio.Task[dict[str, int]] | None = None
        self._next: asyncio.Task[dict[str, int]] | None = None

    async def current(self) -> dict[str, int]:
        """Return the generations, as they are at some moment after the call; the database is asked once for many."""
        if self._next is None:
            self._next = asyncio.create_task(self._read(self._reading))
        # Whoever goes away must not take the reading from others who wait for it.
        return await asyncio.shield(self._next)

    async def _read(self, under_way: asyncio.Task[dict[str, int]] | None) -> dict[str, int]:
        # What has begun before somebody asked may have missed what was committed in between.
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
