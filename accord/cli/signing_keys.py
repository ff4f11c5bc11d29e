"""Commands for the keys that sign access tokens."""

import click

from accord.app.container import Container
from accord.cli.common import load_settings


@click.group("signing-keys")
def signing_keys() -> None:
    """Manage the keys that sign access tokens."""


@signing_keys.command()
def rotate() -> None:
    """Add a key that signs from now on. Tokens signed with the old keys stay valid until they expire."""
    settings = load_settings()
    rotated = Container(settings).signing_keys.rotate(settings.access_token_lifetime)
    click.echo(f"Access tokens are now signed with key {rotated.newest.id}.")
