"""Commands for uploaded files."""

from datetime import timedelta

import click

from accord.app.container import Container
from accord.cli.common import load_settings, require_migrations, run_in_database


@click.command("delete-orphan-files")
@click.option(
    "--older-than",
    "seconds",
    type=click.IntRange(min=0),
    default=3_600,
    show_default=True,
    help="Seconds since a file was written; younger ones stay, because an upload may be about to commit them.",
)
def delete_orphan_files(seconds: int) -> None:
    """Remove files that nothing names. A crash in the middle of an upload or a deletion leaves them."""
    settings = load_settings()
    require_migrations(settings)
    storage, age = Container(settings).file_storage, timedelta(seconds=seconds)
    swept = run_in_database(settings, "read", lambda session: storage.delete_orphans(session, age))
    click.echo(f"Removed {swept.files} files with {swept.size} bytes.")
