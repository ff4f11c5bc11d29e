"""A connection to PostgreSQL: transactions, prepared statements, and pipelines of statements."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from db.drivers.postgresql_messages import parse_message, run_messages
from db.errors import CommitRolledBack
from db.pool import Mode

T = TypeVar("T")

BEGIN: Mapping[Mode, str] = {"write": "BEGIN", "repeatable_read": "BEGIN ISOLATION LEVEL REPEATABLE READ"}
"""The statement that begins a transaction, by mode."""
_BEGIN_MESSAGES = {mode: parse_message(sql) + run_messages("", ()) for mode, sql in BEGIN.items()}
_MAX_TIMEOUTS = 5
"""Maximum number of command timeouts that a server may take to respond to a pipeline, however long it is."""


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

    async def fetch_prepared(self, sql: str) -> Sequence[Sequence[Any]] | None:
        """
        Return the rows of a statement without arguments, outside of a greenlet; None if it is not prepared.

        The connection is closed if the statement fails.
        """
        statement = self._prepared.get(sql)
        if statement is None:
            return None
        try:
            rows: Sequence[Sequence[Any]] = await self._protocol.bind_execute(statement._state, (), "", 0, False, None)
        except BaseException:
            self._driver.terminate()
            raise
        return rows

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        if not (self._is_in_transaction or self._pipeline):
            for arguments in many_arguments:
                self.fetch(sql, arguments)
            return
        is_new = sql not in self._prepared
        name = self._prepare(sql)._state.name
        self._pipeline += [(sql, run_messages(name, arguments)) for arguments in many_arguments]
        if is_new:
            # The timeout of a statement counts from when it is parsed.
            self.flush()

    def flush(self) -> None:
        if self._pipeline:
            self._run(self._empty)

    def begin(self, mode: Mode) -> None:
        if mode in BEGIN:
            if self._empty is None:
                self._empty = self._wait(self._driver.prepare(""))
                # asyncpg parses without a Sync, and until there is one, PostgreSQL is in a transaction.
                self._run(self._empty)
            self._pipeline.append((BEGIN[mode], _BEGIN_MESSAGES[mode]))

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
        self._protocol.head = b"".join([messages for _, messages in pipeline])
        timeout = self._command_timeout * min(len(pipeline) + 1, _MAX_TIMEOUTS)
        try:
            return self._wait(execute(statement._state, arguments, "", 0, has_tag, timeout), pipeline)
        finally:
            # asyncpg sends nothing if it cannot encode an argument. The pipeline then waits for the next statement.
            if self._protocol.head:
                self._protocol.head = b""
                self._pipeline = pipeline
            else:
                self._is_in_transaction = True

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
