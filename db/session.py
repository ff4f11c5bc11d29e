"""The session of a unit of work, and what it asks of the connection under it."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import Session

from db.errors import is_commit_refused

if TYPE_CHECKING:
    from db.change_tracking import Change

Mode = Literal["read", "write", "guarded"]

log = logging.getLogger(__name__)

Call = tuple[Callable[..., Any], tuple[Any, ...]]
Returned = list[tuple[Call, Any]]
"""Calls and what they have returned, in their order."""


class PooledConnection(Protocol):
    """A connection that stays open between units of work."""

    @property
    def connection(self) -> Connection:
        """The same connection as SQLAlchemy speaks to it."""

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows, from the driver itself; the statement is prepared once."""

    def begin(self, mode: Mode) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


H = TypeVar("H", bound=PooledConnection)


class QuerySpan(Protocol):
    """What surrounds a query."""

    def __call__(self, sql: str, /) -> AbstractContextManager[object]: ...


@dataclass(frozen=True)
class PoolStats:
    """How full a pool is: how many connections it may have, how many are taken, how often one was waited for so far."""

    size: int
    in_use: int
    waits: int


class Pool(Protocol[H]):
    """Where connections are taken from, one for each unit of work at a time."""

    def acquire(self) -> H:
        """A connection outside of any transaction; raises Unavailable when there is none in time."""

    def release(self, held: H) -> None:
        """Take it back; one that is broken or still in a transaction is thrown away."""


class UnitOfWorkSession(Session):
    """
    A session that takes its connection, and begins its transaction, when it is first used.

    What makes a Session is set up only when somebody asks for more than compiled queries,
    which need nothing of it: most reads never do. `close`, `commit` and `rollback` give the
    connection back, as with any session; the next use takes one again.
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
        """What is called with this session before a commit that has changes."""

    def __getattr__(self, name: str) -> Any:
        if self._is_set_up:
            raise AttributeError(name)
        super().__init__(expire_on_commit=False)
        return getattr(self, name)

    def acquire(self) -> PooledConnection:
        """The connection of this unit, in its transaction."""
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
        """Whether the unit has its connection, and so its transaction."""
        return self._held is not None

    @property
    def dialect(self) -> Dialect:
        """Which SQL is spoken."""
        return self.acquire().connection.dialect

    def get_bind(self, *_: object, **__: object) -> Connection:
        return self.acquire().connection

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Rows of a statement in the driver's own words, after what is pending was written."""
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
            # A COMMIT whose answer is lost may have been done: then nothing may be undone beside it.
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
            call_each(functions, "What follows the rollback failed.")

    def _end(self, *, commit: bool) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                held.commit() if commit else held.rollback()
            finally:
                self._pool.release(held)


def call_each(functions: Sequence[Callable[[], object]], complaint: str) -> None:
    """Call them all, whatever one of them raises: that is logged, since nothing can be changed any more."""
    for function in functions:
        try:
            function()
        except Exception:
            log.exception(complaint)


BeforeCommit = Callable[[UnitOfWorkSession], None]
