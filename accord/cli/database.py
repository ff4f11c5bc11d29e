"""Commands for the database: its migrations, and demo data."""

import click

from accord.cli.common import load_settings, require_migrations, run_in_database
from db import migrations


@click.command()
@click.option(
    "--to", "revision", default="head", help="Revision to go to, up or down; all that there are, unless said."
)
def migrate(revision: str) -> None:
    """Bring the database to the newest migration."""
    url = load_settings().database_url
    before = migrations.current_revision(url)
    if revision == "head":
        migrations.upgrade(url)
    else:
        migrations.downgrade(url, revision)
    after = migrations.current_revision(url)
    click.echo(
        f"The database has migration {after}." if before == after else f"The database went from {before} to {after}."
    )


@click.command()
def seed() -> None:
    """Fill the shop with demo data, as far as it is missing."""
    from accord.app.container import Container  # noqa: PLC0415  # `migrate` needs no service.
    from services import demo_data  # noqa: PLC0415

    settings = load_settings()
    if settings.environment == "production":
        raise click.ClickException("ACCORD_ENVIRONMENT is production, which takes no demo data.")
    require_migrations(settings)
    container = Container(settings)
    passwords, storage = container.password_hasher, container.file_storage
    added = run_in_database(settings, "write", lambda session: list(demo_data.load(session, passwords, storage)))
    click.echo(f"Added {', '.join(added)}." if added else "The demo data is all there.")
    for username, password in demo_data.LOGINS.values():
        click.echo(f"Demo log-in    {username} / {password}")
