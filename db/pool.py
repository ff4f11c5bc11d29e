"""Connections that stay open between units of work, and their pools."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection

Mode = Literal["read", "write", "repeatable_read"]


class PooledConnection(Protocol):
    """A connection that stays open between units of work."""

    @property
    def connection(self) -> Connection:
        """Return SQLAlchemy's view of the connection."""

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement. The driver prepares the statement once for each connection."""

    def execute_later(self, sql: str, many_arguments: Sequence[Sequence[Any]]) -> None:
        """Run a statement without rows, once for each arguments, before the next one or COMMIT, which raises errors."""

    def flush(self) -> None:
        """Run the statements of `execute_later` now."""

    def begin(self, mode: Mode) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


C = TypeVar("C", bound=PooledConnection)


@dataclass(frozen=True)
class PoolStats:
    """Statistics of a pool: maximum of connections, connections in use, and number of waits for a connection."""

    size: int
    in_use: int
    waits: int


class Pool(Protocol[C]):
    """A pool of connections. A unit of work uses one at a time."""

    def acquire(self) -> C:
        """Return a connection without a transaction. Raises DatabaseUnavailable if none becomes free in time."""

    def release(self, pooled: C) -> None:
        """Take the connection back. A connection that is broken or still in a transaction is closed."""
