"""Errors of the database, in a form that is the same for PostgreSQL and SQLite."""

import re
import sqlite3

from asyncpg import InterfaceError, InternalClientError, InvalidCachedStatementError, PostgresError
from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from db import Base


class DatabaseUnavailable(Exception):
    """The database cannot serve the request now. A retry after `retry_after` seconds may succeed."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RequestInProgress(Exception):
    """Another request with the same idempotency key is in progress."""


class MigrationError(Exception):
    """Migrations failed, and have changed nothing."""


class CommitRolledBack(Exception):
    """The database rolled back at a COMMIT."""


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the violated constraint or unique index, or "" if the database does not name it."""
    cause = _cause(error)
    if isinstance(cause, PostgresError):
        return str(getattr(cause, "constraint_name", None) or "")
    message = str(cause)
    if columns := re.search(r"(?:UNIQUE|PRIMARY KEY) constraint failed: (.+)", message):
        return _unique_key(columns[1].split(", "))
    if check := re.search(r"CHECK constraint failed: (\w+)", message):
        return check[1]
    if message.startswith("FOREIGN KEY"):
        return _violated_foreign_key(error.statement or "")
    return ""


def is_serialization_failure(error: Exception) -> bool:
    """Return whether the unit of work failed to serialize, so that a retry of it may succeed."""
    cause = _cause(error)
    return isinstance(cause, StaleDataError | InvalidCachedStatementError) or _state(cause) in _SERIALIZATION_FAILURES


def as_unavailable(error: Exception) -> DatabaseUnavailable | None:
    """Return DatabaseUnavailable if the error means that the database cannot serve the request now, or else None."""
    if isinstance(error, DatabaseUnavailable):
        return error
    cause = _cause(error)
    if is_serialization_failure(error):
        return DatabaseUnavailable("Another request changed the same data. Try again.")
    if _state(cause) in _TOO_SLOW or isinstance(cause, TimeoutError) or _code(cause) == sqlite3.SQLITE_INTERRUPT:
        return DatabaseUnavailable("The database took too long to respond.")
    # A connection that is being closed, and is not closed yet, refuses all statements.
    is_closing = isinstance(cause, InternalClientError)
    is_closed = isinstance(cause, InterfaceError) and "closed" in str(cause)
    if is_closing or is_closed or _state(cause)[:2] in _AWAY or _code(cause) in _SQLITE_AWAY:
        return DatabaseUnavailable("The database is not available.")
    return None


def is_commit_refused(error: BaseException) -> bool:
    """Return whether the error proves that COMMIT failed. Otherwise it may have succeeded, and its response is lost."""
    cause = _cause(error)
    if isinstance(cause, PostgresError):
        # An ERROR ends the transaction. What is more severe ends the session, at any moment.
        severity = getattr(cause, "severity_en", None) or getattr(cause, "severity", None)
        return severity not in ("FATAL", "PANIC") and not _state(cause).startswith(_SESSION_LOST)
    return isinstance(cause, sqlite3.Error | CommitRolledBack)


def is_lock_timeout(error: Exception) -> bool:
    """Return whether the statement timed out while it waited for a lock."""
    return _state(_cause(error)) == "55P03"


_SERIALIZATION_FAILURES = ("40001", "40P01")
_TOO_SLOW = ("57014", "55P03")
_AWAY = ("08", "53", "57")
_SESSION_LOST = ("08", "57P")
_SQLITE_AWAY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
)


def _cause(error: BaseException) -> BaseException:
    """Return the error that the driver raised."""
    while isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    return error.__cause__ if type(error).__module__.startswith("sqlalchemy") and error.__cause__ else error


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code, 0 for other errors."""
    return error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.OperationalError) else 0


def _unique_key(columns: list[str]) -> str:
    table = Base.metadata.tables.get(columns[0].partition(".")[0])
    if table is None:
        return ""
    names = {column.partition(".")[2] for column in columns}
    keys: list[PrimaryKeyConstraint | Index] = [table.primary_key, *(i for i in table.indexes if i.unique)]
    return next((str(key.name) for key in keys if {column.name for column in key.columns} == names), "")


def _violated_foreign_key(statement: str) -> str:
    # SQLite does not name the foreign key. If only one key of the table can be violated, it is that one.
    match = re.match(r"\s*(INSERT INTO|UPDATE|DELETE FROM) \"?(\w+)", statement, re.IGNORECASE)
    table = Base.metadata.tables.get(match[2]) if match else None
    if match is None or table is None:
        return ""
    is_delete = match[1].upper() == "DELETE FROM"
    keys = _referring_keys(table) if is_delete else list(table.foreign_key_constraints)
    return str(keys[0].name) if len(keys) == 1 else ""


def _referring_keys(table: Table) -> list[ForeignKeyConstraint]:
    return [
        key
        for other in Base.metadata.tables.values()
        for key in other.foreign_key_constraints
        if key.referred_table is table and key.ondelete == "RESTRICT"
    ]
