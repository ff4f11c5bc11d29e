"""Steps that several commands share: settings, migrations, and a unit of work."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from accord import settings as configuration
from accord.settings import Settings
from accord.telemetry.logs import configure_logging
from db import migrations
from db.database import open_database
from db.errors import MigrationError
from db.pool import Mode

T = TypeVar("T")


def load_settings() -> Settings:
    """Return the settings, and configure logging by them. Raises SettingsError."""
    settings = configuration.load()
    configure_logging(settings.log_format, settings.log_level)
    return settings


def require_migrations(settings: Settings) -> None:
    """Raise MigrationError unless the database has the newest migration, and all that the service relies on."""
    migrations.require_head(settings.database_url)
    if missing := migrations.missing_columns(settings.database_url):
        # `migrate` would not help: it has applied all migrations.
        raise MigrationError(
            f"No migration has created {', '.join(missing)}; write it as in docs/writing-a-migration.md."
        )
    if missing := migrations.missing_objects(settings.database_url):
        raise MigrationError("\n".join(["The database lacks these objects; run `migrate`:", *missing]))


def run_in_database(settings: Settings, mode: Mode, function: Callable[[Any], T]) -> T:
    """Return the result of *function*, which is called with the session of one unit of work."""

    async def run() -> T:
        # A command may wait for another one.
        database = open_database(settings.database_url, statement_timeout=120.0)
        try:
            return await database.run(mode, function)
        finally:
            await database.close()

    return asyncio.run(run())
