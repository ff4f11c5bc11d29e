"""Version counters of what responses show, so that the response cache can tell which entries are stale."""

import asyncio

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from db.database import Seam
from db.models import Generation
from db.prepared import compiled

NOUNS = frozenset({"catalogue", "posts"})
"""The counters, each kept by triggers of the database; see the migration that creates them."""


class Generations:
    """The version of each noun, which changes with every commit that changes what responses show of it."""

    nouns = NOUNS

    def __init__(self, seam: Seam) -> None:
        self._seam = seam
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
        return await self._seam.run("read", _read)


def _read(session: Session) -> dict[str, int]:
    return {row["noun"]: row["generation"] for row in _CURRENT.all(session)}


_CURRENT = compiled(
    select(Generation.noun, cast(func.sum(Generation.changes), BigInteger).label("generation")).group_by(
        Generation.noun
    )
)
