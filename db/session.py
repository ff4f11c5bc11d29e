"""The session of a unit of work."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from uuid import UUID

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import Session

from db.errors import is_refusal
from db.pool import Held, Mode, Pool

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


class Around(Protocol):
    """Makes the context manager that a query runs in."""

    def __call__(self, sql: str, /) -> AbstractContextManager[object]: ...


class UnitSession(Session):
    """
    A session that calls `Session.__init__` at the first access to an attribute that it lacks.

    Compiled queries need none of it, and most reads run nothing else. The session takes its
    connection, and begins its transaction, when it is first used. `close`, `commit` and
    `rollback` give the connection back, as with any session; the next use takes one again.
    """

    around: ClassVar[Around | None] = None

    def __init__(self, pool: Pool[Any], mode: Mode) -> None:
        self._pool = pool
        self._mode = mode
        self._held: Held | None = None
        self.committed: list[Callable[[], object]] = []
        self.rolled_back: list[Callable[[], object]] = []
        self.failed: list[Callable[[Session], object]] = []
        self.returned: Returned = []
        self.prepared = 0
        self.changes: list[Change] = []
        self.record: Record | None = None
        """Called with this session before a commit that has changes."""

    def __getattr__(self, name: str) -> Any:
        if self._is_set_up:
            raise AttributeError(name)
        super().__init__(expire_on_commit=False)
        return getattr(self, name)

    def hold(self) -> Held:
        """Return the connection of this unit, in its transaction; raises Unavailable when none is free in time."""
        if self._held is None:
            held = self._pool.take()
            try:
                held.begin(self._mode)
            except BaseException:
                self._pool.give(held)
                raise
            self._held = held
        return self._held

    @property
    def is_holding(self) -> bool:
        """Whether the unit has a connection, and so a transaction."""
        return self._held is not None

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect of the connection."""
        return self.hold().connection.dialect

    def get_bind(self, *_: object, **__: object) -> Connection:
        return self.hold().connection

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement in the driver's SQL; pending changes are flushed before."""
        if self._is_set_up:
            self.flush()
        if self.around is not None:
            with self.around(sql):
                return self.hold().fetch(sql, arguments)
        return self.hold().fetch(sql, arguments)

    def commit(self) -> None:
        if self._is_set_up:
            self.flush()
        if self.changes and self.record:
            self.record(self)
        self.changes.clear()
        if self._is_set_up:
            super().commit()
        try:
            self._end(commit=True)
        except BaseException as error:
            # A COMMIT whose response is lost may have succeeded, so the rollback hooks must not run.
            if not is_refusal(error):
                self.rolled_back.clear()
            raise
        self.rolled_back.clear()

    def rollback(self) -> None:
        self._undo(super().rollback)

    def close(self) -> None:
        self._undo(super().close)

    @property
    def _is_set_up(self) -> bool:
        return "identity_map" in self.__dict__

    def _undo(self, undo: Callable[[], None]) -> None:
        self.committed.clear()
        self.changes.clear()
        try:
            if self._is_set_up:
                undo()
        finally:
            self._end(commit=False)
            functions, self.rolled_back = self.rolled_back, []
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
                self._pool.give(held)


def call_each(functions: Sequence[Callable[[], object]], complaint: str) -> None:
    """Call all functions. What one raises is logged as *complaint*, because the unit of work has ended already."""
    for function in functions:
        try:
            function()
        except Exception:
            log.exception(complaint)


Record = Callable[[UnitSession], None]
