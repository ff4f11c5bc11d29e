"""Steps that several commands share: settings, migrations, and a unit of work."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import click

from accord import settings as configuration
from accord.settings import Settings
from accord.telemetry.logs import configure_logging
from db import migrations
from db.database import open_database
from db.pool import Mode

T = TypeVar("T")


def load_settings() -> Settings:
    """Return the settings, and configure logging by them. Raises SettingsError."""
    settings = configuration.load()
    configure_logging(settings.log_format, settings.log_level)
    return settings


def require_migrations(settings: Settings) -> None:
    """Raise ClickException unless the database has the newest migration, and the objects that the service relies on."""
    applied, head = migrations.current_revision(settings.database_url), migrations.head_revision()
    if applied != head:
        raise click.ClickException(f"The database has migration {applied}, this release needs {head}: run `migrate`.")
    if missing := migrations.missing_objects(settings.database_url):
        raise click.ClickException("\n".join(["The database lacks these objects; run `migrate`:", *missing]))


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
