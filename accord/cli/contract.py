"""Commands that read the contract."""

from typing import BinaryIO

import click

from accord.app.container import Container
from accord.app.documents import CONTRACTS, document
from accord.cli.common import load_settings, require_migrations
from accord.engine.operation import Operation
from accord.settings import load
from accord.settings.production import unsafe
from db import migrations


@click.command()
def check() -> None:
    """Check settings, contract and migrations, and say what is wrong."""
    settings = load_settings()
    contract = Container(settings).contract
    click.echo(f"The contract keeps together: {len(contract.operations)} operations, each with its handler.")
    require_migrations(settings)
    click.echo(f"The database has migration {migrations.head_revision()}.")
    if told := unsafe(settings):
        click.echo("\n".join(["Good for development only:", *told]))


@click.command()
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--version", type=click.Choice(list(CONTRACTS)), default="v1", show_default=True, help="Which version.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Write YAML and not JSON.")
def openapi(file: BinaryIO, version: str, as_yaml: bool) -> None:
    """Write the contract to FILE, as one document."""
    file.write(document(version, load()).render(as_yaml))


@click.command()
def operations() -> None:
    """List the operations: id, method, path and scopes."""
    rows = [_row(operation) for operation in Container(load_settings()).contract.operations]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))


def _row(operation: Operation) -> list[str]:
    requirements = operation.spec.get("security", operation.document.raw.get("security", []))
    who = dict.fromkeys(
        " ".join(scope for scopes in requirement.values() for scope in scopes) or "anybody"
        for requirement in requirements
    )
    return [operation.id, operation.method.upper(), operation.path_item.template, " or ".join(who) or "anybody"]
