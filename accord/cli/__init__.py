"""The command line."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import click
import uvicorn
from alembic.util import CommandError
from prometheus_client import start_http_server
from sqlalchemy.exc import DBAPIError

from accord import settings as configuration
from accord.app.factory import CONTRACTS, PUBLISHED, Service, document, passwords, storage, take_log
from accord.contract.errors import ContractError
from accord.engine.operation import Operation
from accord.identity.signing_keys import KeysError, open_keys
from accord.server.protocol import Patience, Protocol
from accord.server.shutdown import serve_on
from accord.settings import Settings, SettingsError
from accord.telemetry import multiprocess, prometheus
from accord.telemetry.multiprocess import Together
from accord.telemetry.tracing import TracingError
from db import migrations
from db.database import open_seam
from db.errors import Unavailable
from db.pool import Mode
from services import demo_data

T = TypeVar("T")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Accord: the OpenAPI contract under openapi/, running."""


@cli.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 256), help="Server processes.")
@click.option("--reload", is_flag=True, help="Start again when a file changes.")
def serve(host: str | None, port: int | None, workers: int | None, reload: bool) -> None:
    """Serve the contract over HTTP."""
    settings = _settings()
    if reload and settings.environment == "production":
        raise click.ClickException("ACCORD_ENVIRONMENT is production, which takes no --reload.")
    host, port, workers = host or settings.host, settings.port if port is None else port, workers or settings.workers
    Service(settings)
    if reload:
        # What a developer changed should be there at once.
        os.environ["ACCORD_DRAIN_SECONDS"] = "0"
    multiprocess.begin(settings.data_dir)
    if settings.metrics_port is not None:
        everyone = Together(multiprocess.folder(settings.data_dir))
        start_http_server(settings.metrics_port, settings.metrics_host, prometheus.registry(everyone.counts))
    config = uvicorn.Config(
        "accord.app.factory:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        reload_includes=["*.py", "*.yaml", "*.md"] if reload else None,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        lifespan="on",
        timeout_graceful_shutdown=settings.shutdown_timeout,
        timeout_keep_alive=settings.keep_alive_timeout,
        # A busy machine may need longer to start a process than uvicorn gives it, which then starts another one.
        timeout_worker_healthcheck=60,
        http=partial(Protocol, patience=Patience(settings.head_timeout, settings.answer_timeout)),
        ws="none",
    )
    listening = config.bind_socket()
    _say_where(host, listening.getsockname()[1])
    if workers > 1 and settings.redis_url is None:
        click.echo(f"{workers} processes count rate limits each for itself; ACCORD_REDIS_URL unites them.", err=True)
    serve_on(listening, config)


@cli.command()
@click.option(
    "--to", "revision", default="head", help="Revision to go to, up or down; all that there are, unless said."
)
def migrate(revision: str) -> None:
    """Bring the database to the newest migration."""
    url = _settings().database_url
    before = migrations.current(url)
    migrations.upgrade(url) if revision == "head" else migrations.downgrade(url, revision)
    after = migrations.current(url)
    click.echo(
        f"The database has migration {after}." if before == after else f"The database went from {before} to {after}."
    )


@cli.command()
def seed() -> None:
    """Fill the shop with demo data, as far as it is missing."""
    settings = _settings()
    if settings.environment == "production":
        raise click.ClickException("ACCORD_ENVIRONMENT is production, which takes no demo data.")
    _require_migrations(settings)
    tools = passwords(settings), storage(settings)
    added = _in_database(settings, "write", lambda session: list(demo_data.fill(session, *tools)))
    click.echo(f"Added {', '.join(added)}." if added else "The demo data is all there.")
    for username, password in demo_data.LOGINS.values():
        click.echo(f"Demo log-in    {username} / {password}")


@cli.command()
@click.option(
    "--older-than", "seconds", type=click.IntRange(min=0), default=3_600, show_default=True,
    help="Seconds since a file was written; younger ones stay, because an upload may be about to commit them.",
)  # fmt: skip
def sweep(seconds: int) -> None:
    """Remove files that nothing names: a crash in the middle of an upload or a deletion leaves them."""
    settings = _settings()
    _require_migrations(settings)
    age = timedelta(seconds=seconds)
    swept = _in_database(settings, "read", lambda session: storage(settings).sweep(session, age))
    click.echo(f"Removed {swept.files} files with {swept.bytes} bytes.")


@cli.command()
def check() -> None:
    """Check settings, contract and migrations, and say what is wrong."""
    settings = _settings()
    contract = Service(settings).contract
    click.echo(f"The contract keeps together: {len(contract.operations)} operations, each with its handler.")
    _require_migrations(settings)
    click.echo(f"The database has migration {migrations.head()}.")
    if told := configuration.unsafe(settings):
        click.echo("\n".join(["Good for development only:", *told]))


@cli.command("settings")
@click.option("--env", is_flag=True, help="Write .env.example, and not docs/settings.md.")
def settings_(env: bool) -> None:
    """Describe every setting."""
    click.echo(configuration.example() if env else configuration.document(), nl=False)


@cli.command()
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--version", type=click.Choice(list(CONTRACTS)), default="v1", show_default=True, help="Which version.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Write YAML and not JSON.")
def openapi(file: Any, version: str, as_yaml: bool) -> None:
    """Write the contract to FILE, as one document."""
    file.write(document(version, configuration.load()).dumped(as_yaml))


@cli.command()
def operations() -> None:
    """List the operations: id, method, path and scopes."""
    settings = _settings()
    rows = [_row(operation) for operation in Service(settings).contract.operations]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))


@cli.group()
def keys() -> None:
    """Keys that sign access tokens."""


@keys.command()
def rotate() -> None:
    """Sign with a new key from now on; what the old ones signed stays valid until it expires."""
    settings = _settings()
    held = open_keys(settings.data_dir, settings.signing_keys and settings.signing_keys.get_secret_value())
    click.echo(f"Access tokens are signed with key {held.rotate(settings.access_token_lifetime).newest.id} now.")


def _settings() -> Settings:
    settings = configuration.load()
    take_log(settings)
    return settings


def _require_migrations(settings: Settings) -> None:
    applied, head = migrations.current(settings.database_url), migrations.head()
    if applied != head:
        raise click.ClickException(f"The database has migration {applied}, this release needs {head}: run `migrate`.")


def _row(operation: Operation) -> list[str]:
    requirements = operation.spec.get("security", operation.document.raw.get("security", []))
    who = dict.fromkeys(
        " ".join(scope for scopes in requirement.values() for scope in scopes) or "anybody"
        for requirement in requirements
    )
    return [operation.id, operation.method.upper(), operation.path.template, " or ".join(who) or "anybody"]


def _in_database(settings: Settings, mode: Mode, perform: Callable[[Any], T]) -> T:
    async def run() -> T:
        seam = open_seam(settings.database_url)
        try:
            return await seam.run(mode, perform)
        finally:
            await seam.close()

    return asyncio.run(run())


def _say_where(host: str, port: int) -> None:
    base = f"http://{host}:{port}"
    click.echo(f"Documentation  {base}/docs\nContract       {base}{PUBLISHED['v1']}")
    click.echo(f"Health         {base}/health/ready")
    click.echo(f"Try it         curl '{base}/api/v1/products?sort=-price&per_page=3'")


WRONG = (SettingsError, ContractError, KeysError, TracingError, Unavailable, CommandError, DBAPIError, OSError)


def main() -> None:
    """Run the command line; what is wrong with settings, contract or database is said, without a traceback."""
    try:
        cli(standalone_mode=True)
    except WRONG as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
