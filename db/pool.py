"""Connections that stay open between units of work, and the pools that hand them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection

Mode = Literal["read", "write", "guarded"]


class PooledConnection(Protocol):
    """A connection that stays open between units of work."""

    @property
    def connection(self) -> Connection:
        """Return SQLAlchemy's view of the connection."""

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement, which the driver prepares once for each connection."""

    def begin(self, mode: Mode) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


H = TypeVar("H", bound=PooledConnection)


@dataclass(frozen=True)
class PoolStats:
    """Statistics of a pool: connections at most, connections in use, and how often a unit of work waited for one."""

    size: int
    in_use: int
    waits: int


class Pool(Protocol[H]):
    """A pool of connections; a unit of work takes one at a time."""

    def acquire(self) -> H:
        """Return a connection outside of any transaction; raises Unavailable when none is free in time."""

    def release(self, held: H) -> None:
        """Take the connection back; one that is broken or still in a transaction is closed."""
