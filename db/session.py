"""The session of a unit of work."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from uuid import UUID

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import Session

from db.errors import is_commit_refused
from db.pool import Mode, Pool, PooledConnection

log = logging.getLogger(__name__)

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments."""
CallResults = list[tuple[Call, Any]]
"""Calls outside the transaction and their results, in order."""


Pair = tuple[Any, Any]
"""The old and the new value of a member."""


@dataclass(frozen=True, slots=True)
class Change:
    """Changed members of an object."""

    table: str
    id: UUID
    members: dict[str, Pair]


class QuerySpan(Protocol):
    """Returns the context manager that a query runs in."""

    def __call__(self, sql: str, /) -> AbstractContextManager[object]: ...


class UnitOfWorkSession(Session):
    """
    A session that calls `Session.__init__` at the first access to an attribute that it lacks.

    Prepared statements need no such attribute, and most reads run nothing else. The session acquires its connection,
    and begins its transaction, when it is first used. `close`, `commit` and `rollback` release the connection, as with
    any session. The next use acquires one again.
    """

    query_span: ClassVar[QuerySpan | None] = None

    def __init__(self, pool: Pool[Any], mode: Mode) -> None:
        self._pool = pool
        self._mode = mode
        self._pooled: PooledConnection | None = None
        self.commit_hooks: list[Callable[[], object]] = []
        self.rollback_hooks: list[Callable[[], object]] = []
        self.failure_hooks: list[Callable[[Session], object]] = []
        self.outside_results: CallResults = []
        self.outside_call_count = 0
        """Number of calls outside the transaction that this attempt has made."""
        self.changes: list[Change] = []
        self.before_commit: BeforeCommit | None = None
        """Called with this session before a commit that has changes."""

    def __getattr__(self, name: str) -> Any:
        if self._is_initialized:
            raise AttributeError(name)
        super().__init__(expire_on_commit=False)
        return getattr(self, name)

    def acquire(self) -> PooledConnection:
        """Return the connection of the unit of work. Raises DatabaseUnavailable if none becomes free in time."""
        if self._pooled is None:
            pooled = self._pool.acquire()
            try:
                pooled.begin(self._mode)
            except BaseException:
                self._pool.release(pooled)
                raise
            self._pooled = pooled
        return self._pooled

    @property
    def has_connection(self) -> bool:
        """Whether the unit of work has a connection, and thus a transaction."""
        return self._pooled is not None

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect of the connection."""
        return self.acquire().connection.dialect

    def get_bind(self, *_: object, **__: object) -> Connection:
        return self.acquire().connection

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement in the SQL of the driver. Pending changes are flushed before."""
        self.flush()
        if self.query_span is not None:
            with self.query_span(sql):
                return self.acquire().fetch(sql, arguments)
        return self.acquire().fetch(sql, arguments)

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        """Run a statement without rows, once for each arguments, before the next one or the commit."""
        self.flush()
        if self.query_span is None:
            self.acquire().execute_later(sql, many_arguments)
            return
        # The span has the duration and the error of the statement, so it cannot wait.
        with self.query_span(sql):
            self.acquire().execute_later(sql, many_arguments)
            self.acquire().flush()

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        if self._is_initialized:
            super().flush(objects)

    def commit(self) -> None:
        self.flush()
        if self.changes and self.before_commit:
            self.before_commit(self)
        self.changes.clear()
        if self._is_initialized:
            super().commit()
        try:
            self._end(commit=True)
        except BaseException as error:
            # A COMMIT whose response is lost may have succeeded, so the rollback hooks must not run.
            if not is_commit_refused(error):
                self.rollback_hooks.clear()
            raise
        self.rollback_hooks.clear()

    def rollback(self) -> None:
        self._roll_back(super().rollback)

    def close(self) -> None:
        self._roll_back(super().close)

    @property
    def _is_initialized(self) -> bool:
        return "identity_map" in self.__dict__

    def _roll_back(self, method: Callable[[], None]) -> None:
        """Roll back, call the *method* of the base class, release the connection, and run the rollback hooks."""
        self.commit_hooks.clear()
        self.changes.clear()
        try:
            if self._is_initialized:
                method()
        finally:
            self._end(commit=False)
            hooks = self.rollback_hooks
            self.rollback_hooks = []
            call_each(hooks, "A rollback hook failed.")

    def _end(self, *, commit: bool) -> None:
        pooled = self._pooled
        self._pooled = None
        if pooled is not None:
            try:
                if commit:
                    pooled.commit()
                else:
                    pooled.rollback()
            finally:
                self._pool.release(pooled)


def call_each(functions: Sequence[Callable[[], object]], message: str) -> None:
    """Call all functions. Log exceptions with *message*, because the unit of work has already ended."""
    for function in functions:
        try:
            function()
        except Exception:
            log.exception(message)


BeforeCommit = Callable[[UnitOfWorkSession], None]
