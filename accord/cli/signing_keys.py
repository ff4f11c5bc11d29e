"""Commands for the keys that sign access tokens."""

import click

from accord.app.container import Container
from accord.cli.common import load_settings


@click.group("signing-keys")
def signing_keys() -> None:
    """Keys that sign access tokens."""


@signing_keys.command()
def rotate() -> None:
    """Sign with a new key from now on; what the old ones signed stays valid until it expires."""
    settings = load_settings()
    rotated = Container(settings).signing_keys.rotate(settings.access_token_lifetime)
    click.echo(f"Access tokens are signed with key {rotated.newest.id} now.")
