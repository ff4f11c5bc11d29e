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
Returned = list[tuple[Call, Any]]
"""The calls outside the transaction and their results, in order."""


Pair = tuple[Any, Any]
"""The old and the new value of a member."""


@dataclass(frozen=True, slots=True)
class Change:
    """Changed members of an object."""

    table: str
    id: UUID
    members: dict[str, Pair]


class QuerySpan(Protocol):
    """Makes the context manager that a query runs in."""

    def __call__(self, sql: str, /) -> AbstractContextManager[object]: ...


class UnitOfWorkSession(Session):
    """
    A session that calls `Session.__init__` at the first access to an attribute that it lacks.

    Compiled queries need none of it, and most reads run nothing else. The session takes its
    connection, and begins its transaction, when it is first used. `close`, `commit` and
    `rollback` give the connection back, as with any session; the next use takes one again.
    """

    query_span: ClassVar[QuerySpan | None] = None

    def __init__(self, pool: Pool[Any], mode: Mode) -> None:
        self._pool = pool
        self._mode = mode
        self._held: PooledConnection | None = None
        self.commit_hooks: list[Callable[[], object]] = []
        self.rollback_hooks: list[Callable[[], object]] = []
        self.failure_units: list[Callable[[Session], object]] = []
        self.outside_results: Returned = []
        self.outside_calls = 0
        self.changes: list[Change] = []
        self.before_commit: BeforeCommit | None = None
        """Called with this session before a commit that has changes."""

    def __getattr__(self, name: str) -> Any:
        if self._is_set_up:
            raise AttributeError(name)
        super().__init__(expire_on_commit=False)
        return getattr(self, name)

    def acquire(self) -> PooledConnection:
        """Return the connection of this unit, in its transaction; raises Unavailable when none is free in time."""
        if self._held is None:
            held = self._pool.acquire()
            try:
                held.begin(self._mode)
            except BaseException:
                self._pool.release(held)
                raise
            self._held = held
        return self._held

    @property
    def has_connection(self) -> bool:
        """Whether the unit has a connection, and so a transaction."""
        return self._held is not None

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect of the connection."""
        return self.acquire().connection.dialect

    def get_bind(self, *_: object, **__: object) -> Connection:
        return self.acquire().connection

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement in the driver's SQL; pending changes are flushed before."""
        if self._is_set_up:
            self.flush()
        if self.query_span is not None:
            with self.query_span(sql):
                return self.acquire().fetch(sql, arguments)
        return self.acquire().fetch(sql, arguments)

    def commit(self) -> None:
        if self._is_set_up:
            self.flush()
        if self.changes and self.before_commit:
            self.before_commit(self)
        self.changes.clear()
        if self._is_set_up:
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
        self._undo(super().rollback)

    def close(self) -> None:
        self._undo(super().close)

    @property
    def _is_set_up(self) -> bool:
        return "identity_map" in self.__dict__

    def _undo(self, undo: Callable[[], None]) -> None:
        self.commit_hooks.clear()
        self.changes.clear()
        try:
            if self._is_set_up:
                undo()
        finally:
            self._end(commit=False)
            functions, self.rollback_hooks = self.rollback_hooks, []
            call_each(functions, "A rollback hook failed.")

    def _end(self, *, commit: bool) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                if commit:
                    held.commit()
                else:
                    held.rollback()
            finally:
                self._pool.release(held)


def call_each(functions: Sequence[Callable[[], object]], complaint: str) -> None:
    """Call all functions. What one raises is logged as *complaint*, because the unit of work has ended already."""
    for function in functions:
        try:
            function()
        except Exception:
            log.exception(complaint)


BeforeCommit = Callable[[UnitOfWorkSession], None]
