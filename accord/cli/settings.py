"""The command that describes the settings."""

import click

from accord.settings.reference import document, example


@click.command()
@click.option("--env", is_flag=True, help="Write .env.example instead of docs/settings.md.")
def settings(env: bool) -> None:
    """Describe every setting."""
    click.echo(example() if env else document(), nl=False)
