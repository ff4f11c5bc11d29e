"""Partial indexes: of the live rows, or of the deleted ones."""

from sqlalchemy import Index, text


def live_index(name: str, *columns: str, unique: bool = False) -> Index:
    """Return an index of the rows that are not deleted; a unique one frees the values of deleted rows."""
    return _where("deleted_at IS NULL", name, *columns, unique=unique)


def deleted_index(name: str) -> Index:
    """
    Return an index of the deleted rows, by the time of deletion.

    It serves the purge, and counting: all rows minus the deleted ones is much cheaper than the live ones.
    """
    return _where("deleted_at IS NOT NULL", name, "deleted_at")


def _where(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, postgresql_where=text(condition), sqlite_where=text(condition))
