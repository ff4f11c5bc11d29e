"""Commands that read the contract."""

from itertools import chain
from typing import BinaryIO

import click

from accord.app.container import Container
from accord.app.documents import CONTRACTS, load_document
from accord.cli.common import load_settings, require_migrations
from accord.contract.document import with_root_path
from accord.engine.operation import Operation
from accord.settings import load
from accord.settings.production import production_errors
from db import migrations


@click.command()
def check() -> None:
    """Check settings, contract and migrations, and report errors."""
    settings = load_settings()
    container = Container(settings)
    contract = container.contract
    contract.validate_statuses(container.raised_errors)
    require_migrations(settings)
    click.echo(f"The contract is valid: {len(contract.operations)} operations, each with its handler.")
    click.echo(f"The database has migration {migrations.head_revision()}.")
    if errors := production_errors(settings):
        click.echo("\n".join(["These settings are for development only:", *errors]))


@click.command()
@click.argument("file", type=click.File("wb"), default="-")
@click.option(
    "--version", type=click.Choice(list(CONTRACTS)), default="v1", show_default=True, help="Version of the contract."
)
@click.option("--yaml", "as_yaml", is_flag=True, help="Write YAML instead of JSON.")
def openapi(file: BinaryIO, version: str, as_yaml: bool) -> None:
    """Write the contract to FILE as one document."""
    settings = load()
    file.write(with_root_path(load_document(version, settings).render(as_yaml), settings.root_path.rstrip("/")))


@click.command()
def operations() -> None:
    """List the operations: id, method, path and scopes."""
    rows = [_row(operation) for operation in Container(load_settings()).contract.operations]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))


def _row(operation: Operation) -> list[str]:
    requirements = operation.spec.get("security", operation.document.raw.get("security", []))
    alternatives = dict.fromkeys(" ".join(chain.from_iterable(each.values())) or "public" for each in requirements)
    access = " or ".join(alternatives) or "public"
    return [operation.id, operation.method.upper(), operation.path_item.template, access]
