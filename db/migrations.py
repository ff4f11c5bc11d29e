"""Migrations: upgrade and downgrade of a database, and its revision."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import URL, Connection, NullPool, inspect, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from accord import libpq
from accord.libpq import ConnectionParameters
from db import database_objects
from db.drivers.postgresql import connect, set_local
from db.drivers.sqlite import sqlite_engine
from db.errors import DatabaseUnavailable, MigrationError, as_unavailable
from db.migration_files import read_revisions

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

T = TypeVar("T")

_CONFIG = Path(__file__).resolve().parent.parent / "alembic.ini"
_LOCK = 0x4143434F5244
_LOCK_TIMEOUT = 60.0


def upgrade(url: str, revision: str = "head") -> None:
    """
    Apply all missing migrations, or none. Several servers may call it at once.

    At the newest revision, it also creates the database objects that are missing. Raises DatabaseUnavailable and
    MigrationError.
    """
    from alembic import command  # noqa: PLC0415  # Serving imports this module, and needs no Alembic.

    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo migrations down to this revision; "base" undoes all. Raises DatabaseUnavailable and MigrationError."""
    from alembic import command  # noqa: PLC0415  # As above.

    command.downgrade(_config(url), revision)


def current_revision(url: str) -> str | None:
    """Return the revision of the database, None if it has none. Raises DatabaseUnavailable."""
    return run_with_connection(url, _revision)


def applied_revision(session: Session) -> str | None:
    """Return the revision of the database of a session, None if it has none."""
    return _revision(session.connection())


def require_head(url: str) -> None:
    """Raise MigrationError unless the database has the newest migration of this release."""
    applied, head = current_revision(url), head_revision()
    if applied != head:
        require_known(applied)
        raise MigrationError(f"The database has migration {applied}, this release needs {head}: run `migrate`.")


def require_known(revision: str | None) -> None:
    """Raise MigrationError if the revision of the database is not that of a migration of this release."""
    if revision is not None and revision not in read_revisions():
        message = f"The database has migration {revision}, but the newest one of this release is {head_revision()}"
        raise MigrationError(f"{message}: use the release that has it, or go back there with `migrate --to`.")


def missing_columns(url: str) -> list[str]:
    """Return the tables and columns of the models that the database lacks. Raises DatabaseUnavailable."""
    return run_with_connection(url, database_objects.find_missing_columns)


def missing_objects(url: str) -> list[str]:
    """Return what the database lacks beyond tables and columns. Raises DatabaseUnavailable."""
    return run_with_connection(
        url, lambda connection: list(map(str, database_objects.find_missing(connection, is_exact=True)))
    )


@contextmanager
def report_errors(scripts: "ScriptDirectory") -> Iterator[None]:
    """Raise MigrationError, with the file and the line, instead of another exception of a migration."""
    try:
        yield
    except Exception as error:
        files = {script.path for script in scripts.walk_revisions()}
        frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename in files]
        if not frames or as_unavailable(error):
            raise
        # SQLAlchemy's message has the statement and a link as well.
        message = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        raise MigrationError(
            f"{place}: the migration failed and changed nothing: {message.rstrip('.')}. Correct it and run it again."
        ) from error


@cache
def head_revision() -> str:
    """Return the revision that this release needs. Raises MigrationError."""
    return read_revisions()[-1]


def run_with_connection(url: str, function: Callable[[Connection], T], *, alone: bool = False) -> T:
    """
    Return the result of *function* for a connection in a transaction. An exception rolls back.

    With *alone*, it waits until no other server runs this for the same database. Raises DatabaseUnavailable.
    """
    try:
        if url.startswith(libpq.SCHEMES):
            return asyncio.run(_run_on_postgresql(libpq.parse(url), function, alone))
        return _run_on_sqlite(make_url(url), function, alone)
    except OSError as error:
        raise DatabaseUnavailable(f"The database is not available: {error}.") from error
    except DBAPIError as error:
        reason = as_unavailable(error)
        if reason is None:
            raise
        raise DatabaseUnavailable(f"{reason} {error.orig}") from error


def _run_on_sqlite(url: URL, function: Callable[[Connection], T], alone: bool) -> T:
    with sqlite_engine(url, timeout=_LOCK_TIMEOUT).connect() as connection:
        # SQLite alters a table by rebuilding it, which must not touch the rows that refer to it.
        connection.exec_driver_sql("pragma foreign_keys=off")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")
        result = function(connection)
        try:
            violations = connection.exec_driver_sql("pragma foreign_key_check").all()
        except OperationalError as error:
            # A table has lost the primary key or the unique constraint to which a foreign key refers.
            raise MigrationError(
                f"The migrations have changed nothing, because of a {error.orig}. Correct the migrations."
            ) from error
        if violations:
            raise MigrationError(
                f"The migrations have changed nothing, because {len(violations)} rows violate a foreign key, the first "
                f"in table {violations[0][0]}. Correct the rows or the migrations."
            )
        connection.commit()
        return result


async def _run_on_postgresql(parameters: ConnectionParameters, function: Callable[[Connection], T], alone: bool) -> T:
    # A pooler may be in between. All that it must keep is in this one transaction, and statements have no names.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={
            "async_creator_fn": partial(connect, parameters, is_pooled=True),
            "prepared_statement_cache_size": 0,
        },
    )
    async with engine.begin() as connection:
        if parameters.settings:
            await connection.exec_driver_sql(set_local(parameters.settings))
        if alone:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        return await connection.run_sync(function)


def _revision(connection: Connection) -> str | None:
    """Return the revision in Alembic's table. Migrations form one chain, so that there is one at most."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revisions = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    if len(revisions) > 1:
        message = f"The table alembic_version has the revisions {', '.join(sorted(revisions))}"
        raise MigrationError(f"{message}; delete all but that of the newest migration that was applied.")
    return revisions[0] if revisions else None


def _config(url: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415  # As above.

    config = Config(_CONFIG)
    config.attributes["url"] = url
    return config
