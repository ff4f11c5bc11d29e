"""The SQLite driver: connections of the standard library, used from threads."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import IntegrityError

from db.errors import DatabaseUnavailable
from db.pool import Mode, PoolStats
from db.types import json_text

_INSTRUCTIONS_BETWEEN_CHECKS = 10_000


class SqliteConnection:
    """
    A connection and its prepared statements.

    For SQLAlchemy it is in autocommit mode. This class begins and ends the transactions, so that prepared statements
    and SQLAlchemy can alternate within one.
    """

    def __init__(self, engine: Engine) -> None:
        self.connection: Connection = engine.connect()
        self._driver: Any = self.connection.connection.driver_connection

    @property
    def is_idle(self) -> bool:
        """Whether the next unit of work can use the connection."""
        return not (self._driver.in_transaction or self.connection.invalidated)

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            return self._driver.cursor().execute(sql, arguments).fetchall()  # type: ignore[no-any-return]
        except sqlite3.IntegrityError as error:
            raise IntegrityError(sql, None, error) from error

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        for arguments in many_arguments:
            self.fetch(sql, arguments)

    def flush(self) -> None: ...

    def begin(self, mode: Mode) -> None:
        if mode != "read":
            self._driver.cursor().execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._driver.commit()

    def rollback(self) -> None:
        self._driver.rollback()

    def close(self) -> None:
        self.connection.close()


class SqlitePool:
    """A pool of connections, last in, first out."""

    def __init__(self, engine: Engine, *, size: int, timeout: float) -> None:
        self._engine = engine
        self._timeout = timeout
        self._room = threading.Semaphore(size)
        self._size = size
        self._free: list[SqliteConnection] = []
        self._in_use: set[SqliteConnection] = set()
        self._waits = 0
        self._waits_lock = threading.Lock()

    def stats(self) -> PoolStats:
        return PoolStats(self._size, len(self._in_use), self._waits)

    def acquire(self) -> SqliteConnection:
        if not self._room.acquire(blocking=False):
            self._wait()
        try:
            pooled = self._pop_free() or SqliteConnection(self._engine)
        except BaseException:
            self._room.release()
            raise
        self._in_use.add(pooled)
        return pooled

    def release(self, pooled: SqliteConnection) -> None:
        self._in_use.discard(pooled)
        try:
            if pooled.is_idle:
                self._free.append(pooled)
            else:
                pooled.close()
        finally:
            self._room.release()

    def close(self) -> None:
        """Close the free connections. No other connection may be in use."""
        while self._free:
            self._free.pop().close()

    def _wait(self) -> None:
        with self._waits_lock:
            self._waits += 1
        if not self._room.acquire(timeout=self._timeout):
            raise DatabaseUnavailable("All connections to the database are in use.")

    def _pop_free(self) -> SqliteConnection | None:
        try:
            return self._free.pop()
        except IndexError:
            return None


def sqlite_engine(url: URL, *, timeout: float, is_read_only: bool = False) -> Engine:
    """
    Return an engine whose connections allow several readers beside one writer.

    A statement that takes longer than *timeout* seconds is interrupted. A statement that waits longer for a write of
    another process fails. The connections are in autocommit mode.
    """
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        json_serializer=json_text,
        json_deserializer=orjson.loads,
        connect_args={
            "factory": _TimedConnection,
            "timeout": timeout,
            "cached_statements": 512,
            "check_same_thread": False,
        },
    )

    @event.listens_for(engine, "connect")
    def configure(driver: "_TimedConnection", _: object) -> None:
        driver.limit(timeout)
        for pragma in ("journal_mode=wal", "synchronous=normal", "foreign_keys=on"):
            driver.execute(f"pragma {pragma}")
        if is_read_only:
            driver.execute("pragma query_only=on")

    return engine


class _TimedConnection(sqlite3.Connection):
    """A connection that interrupts slow statements. Their time counts from the creation of the cursor."""

    _timeout = float("inf")
    _deadline = float("inf")

    def limit(self, timeout: float) -> None:
        """Interrupt statements from now on that take longer than *timeout* seconds."""
        self._timeout = timeout
        self.set_progress_handler(lambda: time.monotonic() > self._deadline, _INSTRUCTIONS_BETWEEN_CHECKS)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        self._deadline = time.monotonic() + self._timeout
        return super().cursor(*arguments, **named)
