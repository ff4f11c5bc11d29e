"""
Where handlers run. They are plain functions with a plain session and never know.

On PostgreSQL they run on the event loop, in a greenlet that steps aside while the database
works. On SQLite, where the database is in this process, they run in threads.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from db.drivers.greenlets import GreenletPool
from db.drivers.postgresql import PostgresPool
from db.drivers.sqlite import SqlitePool, sqlite_engine
from db.drivers.threads import ThreadPool
from db.errors import as_unavailable, is_serialization_failure
from db.session import BeforeCommit, Call, Mode, Pool, PoolStats, Returned, UnitOfWorkSession, call_each

T = TypeVar("T")

MAX_ATTEMPTS = 8
"""How often in all a unit of work is done that others were faster than."""

_POOLS: tuple[Mode, ...] = ("read", "write")
"""Guarded units share the connections of those that write."""


def open_database(
    url: str, *, pool_size: int = 10, pool_timeout: float = 5.0, statement_timeout: float = 10.0
) -> "Database":
    """
    The seam to the database of this URL, `postgresql://…` or `sqlite:///…`.

    It opens up to `pool_size` connections for reading and as many for writing (SQLite has one
    writer), each when it is first needed.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "postgresql":
            return PostgresDatabase(parsed, pool_size, pool_timeout, statement_timeout)
        case "sqlite":
            return SqliteDatabase(parsed, pool_size, pool_timeout, statement_timeout)
        case other:
            raise ValueError(f"The database is PostgreSQL or SQLite, not {other}.")


def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """
    Run a slow function that needs no session, and let others be served meanwhile.

    Close the session before: what it holds, others wait for.
    """
    if in_greenlet():
        return await_only(asyncio.to_thread(function, *arguments))
    return function(*arguments)


def run_outside_transaction(session: Session, function: Callable[..., T], *arguments: Any) -> T:
    """
    Return what a slow function that needs no session returns; it is called while this unit of work holds nothing.

    A unit that holds something, because it has claimed a key or compared a tag, is rolled back, and done again from its
    beginning when the function has returned. It must ask for the same calls then.
    """
    if not isinstance(session, UnitOfWorkSession):
        return function(*arguments)
    call, returned = (function, arguments), session.outside_results
    if session.outside_calls == len(returned):
        if session.has_connection:
            raise _RestartUnitOfWork(call, returned)
        returned.append((call, function(*arguments)))
    elif returned[session.outside_calls][0] != call:
        raise RuntimeError("Done again, this unit of work asks for another call than before.")
    session.outside_calls += 1
    return returned[session.outside_calls - 1][1]  # type: ignore[no-any-return]


def on_commit(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Have the function called once the session's unit of work is committed, never if it is rolled back."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("Only the sessions that a seam hands out know when they are committed.")
    session.commit_hooks.append(partial(function, *arguments))


def on_rollback(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """
    Have the function called when the session's unit of work, or one try of it, is rolled back.

    It undoes what no transaction can, such as a file that was written. It is not called after a
    commit, nor when nobody can tell whether there was one.
    """
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("Only the sessions that a seam hands out know when they are rolled back.")
    session.rollback_hooks.append(partial(function, *arguments))


def on_failure(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Have `perform(*arguments, session)` done in a unit of work of its own if this one fails, not if it is redone."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("Only the sessions that a seam hands out know when they are rolled back.")
    session.failure_units.append(partial(function, *arguments))


class Database(ABC):
    """Runs units of work: returning commits, raising rolls back."""

    async def run(self, mode: Mode, function: Callable[..., T], *arguments: Any) -> T:
        """
        Return what `perform(*arguments, session)` returns.

        "read" can only read, each statement by itself; "write" is a transaction; "guarded" is one
        in which what was read has not changed by the time of the commit. A unit of work that
        another transaction overtook is done again from its beginning. Raises Unavailable when the
        database cannot answer now.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._run(mode, function, arguments)
            except _RestartUnitOfWork as asked:
                call, given = asked.call
                asked.returned.append((asked.call, await asyncio.to_thread(call, *given)))
                return await self.run(mode, asked.resumed(function), *arguments)
            except Exception as error:
                if attempt == MAX_ATTEMPTS or not is_serialization_failure(error):
                    reason = as_unavailable(error)
                    if reason is None or reason is error:
                        raise
                    raise reason from error
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311  # It only spreads them out.
        raise AssertionError

    async def open(self) -> None:
        """Prove that the database can be reached; raises Unavailable."""
        await self.run("read", UnitOfWorkSession.acquire)

    @abstractmethod
    def pool_stats(self) -> Mapping[str, PoolStats]:
        """How full each pool of connections is, by what they are for."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    @abstractmethod
    async def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> T: ...


class PostgresDatabase(Database):
    def __init__(self, url: URL, size: int, timeout: float, statement_timeout: float) -> None:
        reads = PostgresPool(url, size=size, timeout=timeout, statement_timeout=statement_timeout, is_read_only=True)
        writes = PostgresPool(url, size=size, timeout=timeout, statement_timeout=statement_timeout)
        self._pools: dict[Mode, PostgresPool] = {"read": reads, "write": writes, "guarded": writes}
        self._greenlets = GreenletPool()

    async def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        return await self._greenlets.run(_run_unit_of_work, self._pools[mode], mode, function, arguments)

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
        self._lanes: dict[Mode, tuple[ThreadPool, SqlitePool]] = {
            "read": (reading, reads),
            "write": (writing, writes),
            "guarded": (writing, writes),
        }

    async def _run(self, mode: Mode, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        threads, pool = self._lanes[mode]
        return await threads.run(_run_unit_of_work, pool, mode, function, arguments)

    def pool_stats(self) -> Mapping[str, PoolStats]:
        used: dict[str, PoolStats] = {}
        for mode in _POOLS:
            threads, pool = self._lanes[mode]
            use = pool.stats()
            used[mode] = replace(use, waits=use.waits + threads.waits)
        return used

    async def close(self) -> None:
        for mode in _POOLS:
            threads, pool = self._lanes[mode]
            await asyncio.to_thread(threads.close)
            pool.close()


class _RestartUnitOfWork(BaseException):
    """The unit of work is to be done again, after this call; no failure, so that nobody takes it for one."""

    def __init__(self, call: Call, returned: Returned) -> None:
        super().__init__(call)
        self.call, self.returned = call, returned

    def resumed(self, function: Callable[..., T]) -> Callable[..., T]:
        def knowing(*arguments: Any) -> T:
            arguments[-1].outside_results = self.returned
            return function(*arguments)

        return knowing


def _run_unit_of_work(
    pool: Pool[Any],
    mode: Mode,
    function: Callable[..., T],
    arguments: tuple[Any, ...],
    record: BeforeCommit | None = None,
) -> T:
    session = UnitOfWorkSession(pool, mode)
    session.before_commit = record
    try:
        answer = function(*arguments, session)
        session.commit()
    except BaseException as error:
        session.rollback()
        if isinstance(error, Exception) and not is_serialization_failure(error):
            for follow_up in session.failure_units:
                _run_unit_of_work(pool, mode, follow_up, (), session.before_commit)
        raise
    call_each(session.commit_hooks, "What follows the commit failed.")
    return answer
