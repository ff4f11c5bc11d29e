"""What several commands do first."""

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
    """Return the settings, and log as they say from now on; raises SettingsError."""
    settings = configuration.load()
    configure_logging(settings.log_format, settings.log_level)
    return settings


def require_migrations(settings: Settings) -> None:
    """Refuse to go on unless the database has the newest migration."""
    applied, head = migrations.current_revision(settings.database_url), migrations.head_revision()
    if applied != head:
        raise click.ClickException(f"The database has migration {applied}, this release needs {head}: run `migrate`.")


def run_in_database(settings: Settings, mode: Mode, perform: Callable[[Any], T]) -> T:
    """Run *perform* in one unit of work, without a limit of time."""

    async def run() -> T:
        seam = open_database(settings.database_url)
        try:
            return await seam.run(mode, perform)
        finally:
            await seam.close()

    return asyncio.run(run())
