"""Partial indexes of live rows and of deleted rows."""

from sqlalchemy import Index, text


def live_index(name: str, *columns: str, unique: bool = False) -> Index:
    """Return an index of the live rows. With *unique*, the values of deleted rows can be used again."""
    return _partial_index("deleted_at IS NULL", name, *columns, unique=unique)


def deleted_index(name: str) -> Index:
    """
    Return an index of the deleted rows, by the time of deletion.

    It serves the purge, and counting: it is much cheaper to count all rows and the deleted ones than the live ones.
    """
    return _partial_index("deleted_at IS NOT NULL", name, "deleted_at")


def _partial_index(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, postgresql_where=text(condition), sqlite_where=text(condition))
