"""The PostgreSQL driver: opens and pools asyncpg connections, which greenlets use on the event loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

import asyncpg
import orjson
from sqlalchemy import Engine, NullPool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from accord.libpq import ConnectionParameters
from db.drivers.postgresql_connection import BEGIN, PooledPostgresConnection, PostgresConnection
from db.drivers.postgresql_protocol import PipelineProtocol
from db.errors import DatabaseUnavailable
from db.pool import Mode, PoolStats
from db.types import json_text

log = logging.getLogger(__name__)

# asyncpg takes the class from here for each connection. None of its arguments names another one.
asyncpg.protocol.Protocol = PipelineProtocol

_COMMAND_TIMEOUT_MARGIN = 2.0


class PoolerDetected(Exception):
    """A connection pooler is between the service and PostgreSQL, so that a session has no state."""


def set_local(settings: Mapping[str, str]) -> str:
    """Return the statement that makes these settings hold until the end of the transaction."""
    literals = [[value.replace("'", "''") for value in pair] for pair in settings.items()]
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in literals)


async def connect(
    parameters: ConnectionParameters,
    *,
    connect_timeout: float = 60.0,
    command_timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
    is_pooled: bool,
) -> asyncpg.Connection:
    """
    Return a connection. Without *is_pooled*, the settings hold for its session, and statements can be prepared.

    Raises PoolerDetected if they do not. With *is_pooled*, *settings* are not used, and statements have no names.
    """
    session: dict[str, str] = {} if is_pooled else {**(settings or {}), **parameters.settings}
    session["application_name"] = parameters.application_name or "accord"
    if parameters.options:
        session["options"] = parameters.options
    try:
        driver = await asyncpg.connect(
            parameters.dsn,
            ssl=parameters.ssl_context(),
            timeout=parameters.connect_timeout or connect_timeout,
            command_timeout=command_timeout,
            server_settings=session,
            statement_cache_size=0 if is_pooled else 100,
        )
    except asyncpg.ProtocolViolationError as error:
        if is_pooled:
            raise
        raise PoolerDetected(f"it refuses the settings of a session ({error})") from error
    if not is_pooled:
        try:
            await driver.execute(_verification(driver.get_server_pid(), settings or {}, parameters.settings))
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            driver.terminate()
            raise PoolerDetected(str(error)) from error
    return driver


def _verification(pid: int, settings: Mapping[str, str], replaced: Mapping[str, str]) -> str:
    """
    Return a statement that fails unless the session is one of PostgreSQL, with its settings.

    A pooler invents the process id, by which a statement is cancelled, because its connections have no process.
    """
    timeouts = [
        f"('{name}', '{value}')" for name, value in settings.items() if name not in replaced and value.isdecimal()
    ]
    expected = f"(VALUES {', '.join(timeouts)})" if timeouts else "(SELECT '', '' WHERE false)"
    return f"""DO $$ BEGIN
        IF pg_backend_pid() <> {pid} THEN
            RAISE object_not_in_prerequisite_state USING MESSAGE = 'the process id is not that of the server';
        END IF;
        IF EXISTS (SELECT FROM {expected} AS e (n, v) JOIN pg_settings s ON s.name = n WHERE setting <> v) THEN
            RAISE object_not_in_prerequisite_state USING MESSAGE = 'the settings do not hold';
        END IF;
    END $$"""


class PostgresPool:
    """A pool of connections, last in, first out, so that connections beyond the usual number stay idle."""

    def __init__(
        self,
        parameters: ConnectionParameters,
        *,
        size: int,
        timeout: float,
        statement_timeout: float,
        is_read_only: bool = False,
    ) -> None:
        self._parameters = parameters
        # PostgreSQL cancels slow statements. This timeout is for a server that no longer responds.
        self._command_timeout = statement_timeout + _COMMAND_TIMEOUT_MARGIN
        self._is_read_only = is_read_only
        self._timeouts = {
            "statement_timeout": f"{statement_timeout * 1000:.0f}",
            "lock_timeout": f"{statement_timeout * 500:.0f}",
        }
        self._is_pooled = False
        self._engine = self._make_engine()
        self._timeout = timeout
        self._size = size
        self._room = size
        self._waits = 0
        self._free: list[PostgresConnection] = []
        self._waiting: deque[asyncio.Future[PostgresConnection | None]] = deque()
        self._is_open = True

    def stats(self) -> PoolStats:
        return PoolStats(self._size, self._size - self._room - len(self._free), self._waits)

    def acquire_nowait(self) -> PostgresConnection | None:
        """Return a free connection, or None if there is none."""
        while self._free:
            pooled = self._free.pop()
            if pooled.is_idle:
                return pooled
            self._discard(pooled)
        return None

    def acquire(self) -> PostgresConnection:
        pooled = self.acquire_nowait()
        if pooled:
            return pooled
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
            try:
                return self._connect()
            except PoolerDetected as reason:
                if not self._is_pooled:
                    log.info("PostgreSQL is behind a connection pooler, because %s.", reason)
                    self._is_pooled = True
                    self._engine = self._make_engine()
                return self._connect()
        except BaseException:
            self._free_slot()
            raise

    def _connect(self) -> PostgresConnection:
        if not self._is_pooled:
            return PostgresConnection(self._engine, self._command_timeout)
        local = set_local(self._timeouts | self._parameters.settings)
        if self._is_read_only:
            return PooledPostgresConnection(self._engine, self._command_timeout, {"read": f"BEGIN READ ONLY; {local}"})
        begin: dict[Mode, str] = {mode: f"{statement} READ WRITE; {local}" for mode, statement in BEGIN.items()}
        return PooledPostgresConnection(self._engine, self._command_timeout, begin)

    def _make_engine(self) -> Engine:
        return create_async_engine(
            "postgresql+asyncpg://",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            connect_args={
                "async_creator_fn": self._create,
                "prepared_statement_cache_size": 0 if self._is_pooled else 100,
            },
        ).sync_engine

    async def _create(self) -> asyncpg.Connection:
        try:
            driver = await connect(
                self._parameters,
                connect_timeout=self._timeout,
                command_timeout=self._command_timeout,
                settings={"default_transaction_read_only": "on" if self._is_read_only else "off", **self._timeouts},
                is_pooled=self._is_pooled,
            )
            if self._is_pooled:
                await driver.execute("BEGIN")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("PostgreSQL refused the connection: %s", error)
            raise DatabaseUnavailable("The database is not available.") from error
        return driver

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
