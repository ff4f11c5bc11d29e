"""Commands for the database: migrations and demo data."""

import click

from accord.cli.common import load_settings, require_migrations, run_in_database
from db import migrations
from db.errors import MigrationError
from db.migration_files import read_revisions


@click.command()
@click.option("--to", "revision", default="head", show_default=True, help="Revision to upgrade or downgrade to.")
def migrate(revision: str) -> None:
    """Migrate the database to the newest revision."""
    url = load_settings().database_url
    known = ["base", *read_revisions(), "head"]
    if revision not in known:
        raise MigrationError(f"There is no revision {revision}; known: {', '.join(known)}.")
    before = migrations.current_revision(url)
    migrations.require_known(before)
    if revision == "head":
        migrations.upgrade(url)
    else:
        migrations.downgrade(url, revision)
    after = migrations.current_revision(url)
    if before == after:
        click.echo(f"The database has migration {after}.")
    else:
        click.echo(f"The database was migrated from {before or 'base'} to {after or 'base'}.")


@click.command()
def seed() -> None:
    """Add the demo data that is missing."""
    from accord.app.container import Container  # noqa: PLC0415  # `migrate` needs no container.
    from services import demo_data  # noqa: PLC0415

    settings = load_settings()
    if settings.environment == "production":
        raise click.ClickException("ACCORD_ENVIRONMENT is production, where demo data is not allowed.")
    require_migrations(settings)
    container = Container(settings)
    hasher, storage = container.password_hasher, container.file_storage
    added = run_in_database(settings, "write", lambda session: list(demo_data.load(session, hasher, storage)))
    click.echo(f"Added {', '.join(added)}." if added else "The demo data is complete.")
    for username, password in demo_data.LOGINS.values():
        click.echo(f"Demo log-in    {username} / {password}")
