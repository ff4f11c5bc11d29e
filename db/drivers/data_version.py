"""The data version of an SQLite database: a number that tells whether anything was committed."""

import sqlite3
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from db.drivers.sqlite import sqlite_engine


class DataVersion:
    """
    The `data_version` of an SQLite database, as a connection of its own sees it.

    It is in the memory that all connections share, so that it can be read on the event loop. The connection waits for
    no lock. It is opened once, because the numbers of two connections cannot be compared.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sqlite_engine(url, timeout=0, is_read_only=True)
        self._connection: Any = None

    def current(self) -> int | None:
        """Return a number that another one follows after each commit, or None if it cannot be read now."""
        try:
            if self._connection is None:
                # Only now, because workers may have been forked since this object was created.
                self._connection = self._engine.raw_connection()
            # A statement whose rows are all fetched has no transaction, which would keep the WAL from being reset.
            ((version,),) = self._connection.driver_connection.execute("PRAGMA data_version").fetchall()
        except (sqlite3.Error, DBAPIError):
            return None
        return int(version)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
