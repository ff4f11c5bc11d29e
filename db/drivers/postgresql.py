"""The PostgreSQL driver: asyncpg connections, used from greenlets on the event loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg
import orjson
from sqlalchemy import URL, Connection, Engine, NullPool
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from db.errors import CommitRolledBack, DatabaseUnavailable
from db.pool import Mode, PoolStats
from db.types import json_text

T = TypeVar("T")

log = logging.getLogger(__name__)

_COMMAND_TIMEOUT_MARGIN = 2.0
_BEGIN = {"write": "BEGIN", "repeatable_read": "BEGIN ISOLATION LEVEL REPEATABLE READ"}


def asyncpg_url(url: URL) -> URL:
    """Return the URL for SQLAlchemy's asyncpg dialect, in which libpq's `sslmode` is `ssl`."""
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


class PostgresConnection:
    """
    A connection and its prepared statements.

    For SQLAlchemy it is in autocommit mode. This class begins and ends the transactions, so that prepared statements
    and SQLAlchemy can alternate within one.
    """

    def __init__(self, engine: Engine) -> None:
        self.connection: Connection = engine.connect()
        self._driver: Any = self.connection.connection.driver_connection
        self._prepared: dict[str, Any] = {}
        self._is_in_transaction = False

    @property
    def is_idle(self) -> bool:
        """Whether the next unit of work can use the connection."""
        return not (self._driver.is_closed() or self._driver.is_in_transaction() or self.connection.invalidated)

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            statement = self._prepared.get(sql)
            if statement is None:
                statement = self._wait(self._driver.prepare(sql))
                self._prepared[sql] = statement
            return self._wait(statement.fetch(*arguments))
        except asyncpg.IntegrityConstraintViolationError as error:
            error.detail = None  # The detail contains the values.
            raise IntegrityError(sql, None, error) from error
        except asyncpg.InvalidCachedStatementError:
            self._prepared.clear()
            raise

    def begin(self, mode: Mode) -> None:
        if mode != "read":
            self._wait(self._driver.execute(_BEGIN[mode]))
            self._is_in_transaction = True

    def commit(self) -> None:
        if self._is_in_transaction:
            self._is_in_transaction = False
            if self._wait(self._driver.execute("COMMIT")) != "COMMIT":
                raise CommitRolledBack(
                    "PostgreSQL rolled the transaction back at COMMIT, because a statement had failed."
                )

    def rollback(self) -> None:
        if self._is_in_transaction:
            self._is_in_transaction = False
            if not self._driver.is_closed():
                self._wait(self._driver.execute("ROLLBACK"))

    def close(self) -> None:
        self._driver.terminate()
        self.connection.invalidate()
        self.connection.close()

    def _wait(self, awaitable: Awaitable[T]) -> T:
        try:
            return await_only(awaitable)
        except (asyncio.CancelledError, TimeoutError, asyncpg.InternalClientError):
            # A statement may still be running, or the connection is closing, so it cannot be used again.
            self._driver.terminate()
            raise


class PostgresPool:
    """A pool of connections, last in, first out, so that connections beyond the usual number stay idle."""

    def __init__(
        self, url: URL, *, size: int, timeout: float, statement_timeout: float, is_read_only: bool = False
    ) -> None:
        self._engine = create_async_engine(
            asyncpg_url(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            connect_args={"async_creator_fn": _connector(timeout, statement_timeout, is_read_only=is_read_only)},
        ).sync_engine
        self._timeout = timeout
        self._size = size
        self._room = size
        self._waits = 0
        self._free: list[PostgresConnection] = []
        self._waiting: deque[asyncio.Future[PostgresConnection | None]] = deque()
        self._is_open = True

    def stats(self) -> PoolStats:
        return PoolStats(self._size, self._size - self._room - len(self._free), self._waits)

    def acquire(self) -> PostgresConnection:
        while self._free:
            pooled = self._free.pop()
            if pooled.is_idle:
                return pooled
            self._discard(pooled)
        if self._room:
            self._room -= 1
            return self._open()
        return await_only(self._wait_for_connection()) or self._open()

    def release(self, pooled: PostgresConnection) -> None:
        if not (pooled.is_idle and self._is_open):
            self._discard(pooled)
        elif not self._hand_over(pooled):
            self._free.append(pooled)

    def close(self) -> None:
        """Close the free connections now, and the others when they are released."""
        self._is_open = False
        while self._free:
            self._discard(self._free.pop())

    def _open(self) -> PostgresConnection:
        try:
            return PostgresConnection(self._engine)
        except BaseException:
            self._free_slot()
            raise

    def _discard(self, pooled: PostgresConnection) -> None:
        self._free_slot()
        pooled.close()

    def _free_slot(self) -> None:
        """Let the unit of work that has waited longest open a connection, or else a later one."""
        if not self._hand_over(None):
            self._room += 1

    def _hand_over(self, pooled: PostgresConnection | None) -> bool:
        """Pass the connection, or None for a new one, to the first unit that waits. Return False if none waits."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(pooled)
                return True
        return False

    async def _wait_for_connection(self) -> PostgresConnection | None:
        """Return a connection when one is released, or None if the caller can open one."""
        future: asyncio.Future[PostgresConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._waits += 1
        try:
            async with asyncio.timeout(self._timeout):
                return await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                pooled = future.result()
                if pooled is None:
                    self._free_slot()
                else:
                    self.release(pooled)
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable("All connections to the database are in use.") from error
            raise


def _connector(timeout: float, statement_timeout: float, *, is_read_only: bool) -> Callable[..., Awaitable[Any]]:
    settings = {
        "application_name": "accord",
        "default_transaction_read_only": "on" if is_read_only else "off",
        "statement_timeout": f"{statement_timeout * 1000:.0f}",
        "lock_timeout": f"{statement_timeout * 500:.0f}",
    }

    async def connect(**arguments: Any) -> Any:
        try:
            return await asyncpg.connect(
                **arguments,
                timeout=timeout,
                # PostgreSQL cancels slow statements. This timeout is for a server that no longer responds.
                command_timeout=statement_timeout + _COMMAND_TIMEOUT_MARGIN,
                server_settings=settings,
            )
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("PostgreSQL refused the connection: %s", error)
            raise DatabaseUnavailable("The database is not available.") from error

    return connect
