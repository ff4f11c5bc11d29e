"""The PostgreSQL driver: asyncpg connections, used from greenlets on the event loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
import orjson
from sqlalchemy import Connection, Engine, NullPool, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from accord.libpq import ConnectionParameters
from db.drivers.postgresql_messages import parse_message, run_messages
from db.errors import CommitRolledBack, DatabaseUnavailable
from db.pool import Mode, PoolStats
from db.types import json_text

T = TypeVar("T")

log = logging.getLogger(__name__)

_COMMAND_TIMEOUT_MARGIN = 2.0
_MAX_TIMEOUTS = 5
"""Maximum number of command timeouts that a server may take to respond to a pipeline, however long it is."""
_BEGIN: Mapping[Mode, str] = {"write": "BEGIN", "repeatable_read": "BEGIN ISOLATION LEVEL REPEATABLE READ"}
_BEGIN_MESSAGES = {mode: parse_message(sql) + run_messages("", ()) for mode, sql in _BEGIN.items()}


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


class PostgresConnection:
    """
    A connection and its prepared statements.

    For SQLAlchemy it is in autocommit mode. This class begins and ends the transactions, so that prepared statements
    and SQLAlchemy can alternate within one.

    BEGIN and the statements of `execute_later` wait for the next statement or COMMIT. They are sent in front of it, as
    a pipeline, so that all need one round trip. After an error, PostgreSQL skips the rest of the pipeline. A unit of
    work that is cancelled while it waits for a pipeline with COMMIT may be committed.

    *command_timeout* is the time in seconds within which the server responds to one statement.
    """

    def __init__(self, engine: Engine, command_timeout: float) -> None:
        self.connection: Connection = engine.connect()
        driver: Any = self.connection.connection.driver_connection
        self._driver = driver
        self._protocol = driver._protocol
        self._prepared: dict[str, Any] = {}
        self._is_in_transaction = False
        self._command_timeout = command_timeout
        self._pipeline: list[tuple[str, bytes]] = []
        """The SQL and the messages of each statement."""
        self._empty: Any = None
        """The prepared statement that does nothing."""
        event.listen(self.connection, "before_cursor_execute", lambda *_: self.flush())

    @property
    def is_idle(self) -> bool:
        """Whether the next unit of work can use the connection."""
        return not (self._driver.is_closed() or self._driver.is_in_transaction() or self.connection.invalidated)

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._run(self._prepare(sql), arguments)
        return rows

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        if not (self._is_in_transaction or self._pipeline):
            for arguments in many_arguments:
                self.fetch(sql, arguments)
            return
        is_new = sql not in self._prepared
        name = self._prepare(sql).get_name()
        self._pipeline += [(sql, run_messages(name, arguments)) for arguments in many_arguments]
        if is_new:
            # The timeout of a statement counts from when it is parsed.
            self.flush()

    def flush(self) -> None:
        if self._pipeline:
            self._run(self._empty)

    def begin(self, mode: Mode) -> None:
        if mode in _BEGIN:
            if self._empty is None:
                self._empty = self._wait(self._driver.prepare(""))
                # asyncpg parses without a Sync, and until there is one, PostgreSQL is in a transaction.
                self._run(self._empty)
            self._pipeline.append((_BEGIN[mode], _BEGIN_MESSAGES[mode]))

    def commit(self) -> None:
        # A pipeline that has only BEGIN need not be sent.
        if self._is_in_transaction or len(self._pipeline) > 1:
            try:
                status = self._commit()
            except BaseException:
                self.rollback()
                raise
            self._is_in_transaction = False
            if status != "COMMIT":
                raise CommitRolledBack(
                    "PostgreSQL rolled the transaction back at COMMIT, because a statement had failed."
                )
        self._pipeline.clear()

    def rollback(self) -> None:
        self._pipeline.clear()
        if self._is_in_transaction:
            self._is_in_transaction = False
            if not self._driver.is_closed() and self._driver.is_in_transaction():
                self._wait(self._driver.execute("ROLLBACK"))

    def close(self) -> None:
        self._driver.terminate()
        self.connection.invalidate()
        self.connection.close()

    def _commit(self) -> str:
        """Commit, and return the command tag."""
        _, tag, _ = self._run(self._prepare("COMMIT"), has_tag=True)
        return str(tag, "ascii")

    def _prepare(self, sql: str) -> Any:
        statement = self._prepared.get(sql)
        if statement is None:
            # To parse a statement takes a snapshot, so the transaction has to begin before.
            self.flush()
            statement = self._prepared[sql] = self._wait(self._driver.prepare(sql))
        return statement

    def _run(self, statement: Any, arguments: Sequence[Any] = (), *, has_tag: bool = False) -> Any:
        """Return the rows of a prepared statement, with *has_tag* also its command tag and whether it completed."""
        # This is what `PreparedStatement.fetch` calls, which takes a sixth of the time of a short statement.
        execute = self._protocol.bind_execute
        if not self._pipeline:
            return self._wait(execute(statement._state, arguments, "", 0, has_tag, None))
        # asyncpg has no pipelines. PostgreSQL sends the responses to these messages with that to the statement, and
        # asyncpg ignores them, because they have no rows.
        pipeline, self._pipeline = self._pipeline, []
        self._driver._transport.write(b"".join(messages for _, messages in pipeline))
        self._is_in_transaction = True
        timeout = self._command_timeout * min(len(pipeline) + 1, _MAX_TIMEOUTS)
        try:
            return self._wait(execute(statement._state, arguments, "", 0, has_tag, timeout), pipeline)
        except BaseException as error:
            # asyncpg does not send the end of the pipeline if it cannot encode an argument. It would be sent with the
            # next unit of work, which would commit this one.
            if not (isinstance(error, IntegrityError) or _is_response(error)):
                self._driver.terminate()
            raise

    def _wait(self, awaitable: Awaitable[T], pipeline: Iterable[tuple[str, bytes]] = ()) -> T:
        try:
            return await_only(awaitable)
        except asyncpg.IntegrityConstraintViolationError as error:
            error.detail = None  # The detail contains the values.
            # PostgreSQL does not say which statement of a pipeline failed.
            statements = dict.fromkeys([*(sql for sql, _ in pipeline), error.query])
            raise IntegrityError("; ".join(filter(None, statements)), None, error) from error
        except asyncpg.InvalidCachedStatementError:
            self._prepared.clear()
            raise
        except (asyncio.CancelledError, TimeoutError, asyncpg.InternalClientError):
            # A statement may still be running, or the connection is closing, so it cannot be used again.
            self._driver.terminate()
            raise


def _is_response(error: BaseException) -> bool:
    """Return whether PostgreSQL sent the error. asyncpg raises errors of the same classes, which have no severity."""
    return getattr(error, "severity", None) is not None


class PooledPostgresConnection(PostgresConnection):
    """
    A connection to a pooler, such as PgBouncer, that lends a session of PostgreSQL for one transaction.

    Each unit of work is a transaction, also one that only reads, and begins with its settings. Statements have no
    names, because a name would stay in a session that another process uses next. So there are no pipelines.
    """

    def __init__(self, engine: Engine, command_timeout: float, begin: Mapping[Mode, str]) -> None:
        super().__init__(engine, command_timeout)
        self._begin = begin
        # The connector has begun a transaction for what SQLAlchemy asks a new connection.
        self._wait(self._driver.execute("ROLLBACK"))

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return self._wait(self._driver.fetch(sql, *arguments))

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        for arguments in many_arguments:
            self.fetch(sql, arguments)

    def begin(self, mode: Mode) -> None:
        if mode in self._begin:
            self._wait(self._driver.execute(self._begin[mode]))
            self._is_in_transaction = True

    def _commit(self) -> str:
        return str(self._wait(self._driver.execute("COMMIT")))


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
        begin: dict[Mode, str] = {mode: f"{statement} READ WRITE; {local}" for mode, statement in _BEGIN.items()}
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
