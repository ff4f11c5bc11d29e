"""Indexes of the rows that are deleted, or are not."""

from sqlalchemy import Index, text


def live_index(name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows that are not deleted; a unique one leaves a deleted row's values free again."""
    return _where("deleted_at IS NULL", name, *columns, unique=unique)


def deleted_index(name: str) -> Index:
    """
    An index of the rows that are deleted, by when.

    For the purge, and for counting: all rows less these is much cheaper than those that are live.
    """
    return _where("deleted_at IS NOT NULL", name, "deleted_at")


def _where(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, postgresql_where=text(condition), sqlite_where=text(condition))
