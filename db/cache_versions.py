"""Cache versions, by which the response cache knows which entries are stale."""

import asyncio

from sqlalchemy import BigInteger, cast, func, select

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
        self._waiters: list[asyncio.Future[dict[str, int]]] = []
        self._reader: asyncio.Task[None] | None = None
        self._latest: dict[str, int] = {}
        self._data_version: int | None = None
        """The data version before the latest cache versions were read."""

    async def current(self) -> dict[str, int]:
        """
        Return the versions as of a time after the call. Concurrent calls share one query.

        There is no query if the database can tell without one that nothing has changed.
        """
        if self._data_version is not None and self._data_version == self._database.data_version():
            return self._latest
        # Each call has a future of its own, so a cancelled caller does not cancel the query for the others.
        waiter: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_for_waiters())
        return await waiter

    async def _read_for_waiters(self) -> None:
        waiters: list[asyncio.Future[dict[str, int]]] = []
        try:
            while self._waiters:
                # A query that has begun may miss a commit before a later call, so later calls wait for the next one.
                waiters, self._waiters = self._waiters, []
                try:
                    data_version = self._database.data_version()
                    versions = {row["tag"]: row["version"] for row in await self._database.fetch(_CURRENT)}
                except Exception as error:  # noqa: BLE001  # It is raised in the callers.
                    for waiter in filter(_is_waiting, waiters):
                        waiter.set_exception(error)
                else:
                    self._latest, self._data_version = versions, data_version
                    for waiter in filter(_is_waiting, waiters):
                        waiter.set_result(versions)
        finally:
            self._reader = None
            for waiter in filter(_is_waiting, [*waiters, *self._waiters]):
                waiter.cancel()


def _is_waiting(waiter: asyncio.Future[dict[str, int]]) -> bool:
    return not waiter.done()


_CURRENT = prepare(
    select(CacheVersion.tag, cast(func.sum(CacheVersion.version), BigInteger).label("version")).group_by(
        CacheVersion.tag
    )
)
