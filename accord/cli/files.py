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
    help="Seconds since a file was written. Younger files stay, because an upload in progress may refer to them.",
)
def delete_orphan_files(seconds: int) -> None:
    """Delete files that no row of the database refers to. A crash during an upload or a deletion leaves them."""
    settings = load_settings()
    require_migrations(settings)
    storage, age = Container(settings).file_storage, timedelta(seconds=seconds)
    orphans = run_in_database(settings, "read", lambda session: storage.delete_orphans(session, age))
    click.echo(f"Deleted {orphans.files} files with {orphans.size} bytes.")
