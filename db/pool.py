"""Connections that stay open between units of work, and the pools that hand them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection

Mode = Literal["read", "write", "guarded"]


class Held(Protocol):
    """A connection that stays open between units of work."""

    @property
    def connection(self) -> Connection:
        """The same connection as SQLAlchemy speaks to it."""

    def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows, from the driver itself; the statement is prepared once."""

    def begin(self, mode: Mode) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


H = TypeVar("H", bound=Held)


@dataclass(frozen=True)
class Use:
    """How full a pool is: how many connections it may have, how many are taken, how often one was waited for so far."""

    size: int
    in_use: int
    waits: int


class Pool(Protocol[H]):
    """Where connections are taken from, one for each unit of work at a time."""

    def take(self) -> H:
        """A connection outside of any transaction; raises Unavailable when there is none in time."""

    def give(self, held: H) -> None:
        """Take it back; one that is broken or still in a transaction is thrown away."""
