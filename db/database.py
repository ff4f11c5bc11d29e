"""
The database, which runs units of work. A unit of work is a plain function of a session.

On PostgreSQL, units of work run on the event loop, in a greenlet that is suspended while the database works. On SQLite
they run in threads, because the statements run in this process.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, make_url

from accord import libpq
from accord.libpq import ConnectionParameters
from db.drivers.data_version import DataVersion
from db.drivers.greenlets import GreenletPool
from db.drivers.postgresql import PostgresPool
from db.drivers.sqlite import SqlitePool, sqlite_engine
from db.drivers.threads import ThreadPool
from db.errors import as_unavailable, is_serialization_failure
from db.pool import Mode, Pool, PoolStats
from db.prepared import PreparedStatement, Values
from db.session import BeforeCommit, UnitOfWorkSession, call_each
from db.unit_of_work import RestartUnitOfWork

T = TypeVar("T")

MAX_ATTEMPTS = 8
"""Maximum number of runs of a unit of work that fails to serialize."""

_POOLS: tuple[Mode, ...] = ("read", "write")
"""The pools. Units of work in the mode "repeatable_read" use the pool "write"."""


def open_database(
    url: str, *, pool_size: int = 10, pool_timeout: float = 5.0, statement_timeout: float = 10.0
) -> "Database":
    """
    Return the database of a URL, `postgresql://…` or `sqlite:///…`. Raises ValueError for other URLs.

    It opens up to *pool_size* connections for reading and as many for writing (SQLite has one writer), each when it is
    first needed. On SQLite, `data_version` has another one. The timeouts are in seconds: *pool_timeout* limits the wait
    for a connection, *statement_timeout* one statement.
    """
    if url.startswith(libpq.SCHEMES):
        return PostgresDatabase(libpq.parse(url), pool_size, pool_timeout, statement_timeout)
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"The database must be PostgreSQL or SQLite, not {parsed.get_backend_name()}.")
    return SqliteDatabase(parsed, pool_size, pool_timeout, statement_timeout)


class Database(ABC):
    """Runs units of work. A return commits, an exception rolls back."""

    async def run(self, mode: Mode, function: Callable[..., T], *arguments: Any) -> T:
        """
        Return the result of `function(*arguments, session)`, which runs in a unit of work.

        In the mode "read", each statement sees what is committed when it begins, and cannot write. "write" is one
        transaction.
        "repeatable_read" is a transaction that fails to serialize if rows that it has read change before its commit.
        A unit of work that fails to serialize runs again from its beginning. Raises DatabaseUnavailable if the
        database cannot serve the unit of work now.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._run(mode, function, arguments)
            except RestartUnitOfWork as restart:
                outside_function, outside_arguments = restart.call
                result = await asyncio.to_thread(outside_function, *outside_arguments)
                restart.results.append((restart.call, result))
                return await self.run(mode, restart.resume(function), *arguments)
            except Exception as error:
                if attempt == MAX_ATTEMPTS or not is_serialization_failure(error):
                    reason = as_unavailable(error)
                    if reason is None or reason is error:
                        raise
                    raise reason from error
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311  # It only spreads the retries.
        raise AssertionError

    async def fetch(self, statement: PreparedStatement) -> list[Values]:
        """Return the rows of a SELECT without parameters, which sees what is committed when it begins."""
        return await self.run("read", statement.all)

    def data_version(self) -> int | None:
        """
        Return a number that another one follows after each commit, or None if this takes a query.

        It tells that nothing has changed, and not what has.
        """
        return None

    async def open(self) -> None:
        """Connect to the database once. Raises DatabaseUnavailable if it cannot be reached."""
        await self.run("read", UnitOfWorkSession.acquire)

    @abstractmethod
    def pool_stats(self) -> Mapping[str, PoolStats]:
        """Return the statistics of the connection pools, by mode: "read" and "write"."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    @abstractmethod
    def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> Awaitable[T]: ...


class PostgresDatabase(Database):
    def __init__(self, parameters: ConnectionParameters, size: int, timeout: float, statement_timeout: float) -> None:
        pool = partial(PostgresPool, parameters, size=size, timeout=timeout, statement_timeout=statement_timeout)
        reads, writes = pool(is_read_only=True), pool()
        self._pools: dict[Mode, PostgresPool] = {"read": reads, "write": writes, "repeatable_read": writes}
        self._greenlets = GreenletPool()

    async def fetch(self, statement: PreparedStatement) -> list[Values]:
        # Most connections are free and have prepared the statement. Then it needs no session and no greenlet. A span is
        # started by the session.
        plan = statement.plan_for("postgresql") if UnitOfWorkSession.query_span is None else None
        connection = self._pools["read"].acquire_nowait() if plan else None
        if plan and connection:
            try:
                rows = await connection.fetch_prepared(plan.sql)
            except Exception as error:
                if not is_serialization_failure(error):
                    reason = as_unavailable(error)
                    if reason is None:
                        raise
                    raise reason from error
                # A unit of work is repeated after such an error, such as that a table has changed.
                rows = None
            finally:
                self._pools["read"].release(connection)
            if rows is not None:
                return plan.row_dicts(rows)
        return await super().fetch(statement)

    def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> Awaitable[T]:
        return self._greenlets.run(_run_unit_of_work, self._pools[mode], mode, function, arguments)

    def pool_stats(self) -> Mapping[str, PoolStats]:
        return {mode: self._pools[mode].stats() for mode in _POOLS}

    async def close(self) -> None:
        for mode in _POOLS:
            await self._greenlets.run(self._pools[mode].close)


class SqliteDatabase(Database):
    def __init__(self, url: URL, size: int, timeout: float, statement_timeout: float) -> None:
        reads = SqlitePool(sqlite_engine(url, timeout=statement_timeout, is_read_only=True), size=size, timeout=timeout)
        writes = SqlitePool(sqlite_engine(url, timeout=statement_timeout), size=1, timeout=timeout)
        reading = ThreadPool("read", size=size, timeout=timeout)
        writing = ThreadPool("write", size=size, timeout=timeout)
        self._data_version = DataVersion(url)
        self._pools: dict[Mode, tuple[ThreadPool, SqlitePool]] = {
            "read": (reading, reads),
            "write": (writing, writes),
            "repeatable_read": (writing, writes),
        }

    def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> Awaitable[T]:
        threads, pool = self._pools[mode]
        return threads.run(_run_unit_of_work, pool, mode, function, arguments)

    def data_version(self) -> int | None:
        return self._data_version.current()

    def pool_stats(self) -> Mapping[str, PoolStats]:
        stats_by_mode: dict[str, PoolStats] = {}
        for mode in _POOLS:
            threads, pool = self._pools[mode]
            stats = pool.stats()
            stats_by_mode[mode] = replace(stats, waits=stats.waits + threads.waits)
        return stats_by_mode

    async def close(self) -> None:
        for mode in _POOLS:
            threads, pool = self._pools[mode]
            await asyncio.to_thread(threads.close)
            pool.close()
        self._data_version.close()


def _run_unit_of_work(
    pool: Pool[Any],
    mode: Mode,
    function: Callable[..., T],
    arguments: tuple[Any, ...],
    before_commit: BeforeCommit | None = None,
) -> T:
    session = UnitOfWorkSession(pool, mode)
    session.before_commit = before_commit
    try:
        result = function(*arguments, session)
        session.commit()
    except BaseException as error:
        session.rollback()
        if isinstance(error, Exception) and not is_serialization_failure(error):
            for failure_hook in session.failure_hooks:
                _run_unit_of_work(pool, mode, failure_hook, (), session.before_commit)
        raise
    call_each(session.commit_hooks, "A commit hook failed.")
    return result
