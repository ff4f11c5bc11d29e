"""Puts the service together, and is its command line."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from datetime import datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import uvicorn
from alembic.util import CommandError
from connexion import FlaskApp
from connexion.exceptions import ResolverError
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.server_error import ServerErrorMiddleware
from connexion.resolver import Resolver
from connexion.spec import OpenAPISpecification
from connexion.utils import get_function_from_name
from flask import request
from prometheus_client import start_http_server
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

import pages
import settings as configuration
from contract.document import Document
from contract.errors import ContractError
from contract.operation import Operation
from contract.pipeline import Contract
from contract.policies import rate_limit
from contract.policies.kept import KeptAnswers
from contract.problems import VARY, Errors, Fault, Problem, body_fault, media_type, parameter_fault
from contract.request import Limits, exchange
from db import audit, migrations, observed
from db.errors import InFlight, Unavailable
from db.generations import Generations
from db.idempotency import IdempotencyKeys
from db.seam import Seam, open_seam
from db.sessions import Mode
from db.text import fold
from edge.compression import Compression
from edge.cors import Cors
from edge.exchanges import Exchanges
from edge.http import Patience, Protocol
from edge.processes import Departure, serve_on
from edge.versions import Versions
from meters.memory import Memory
from services import api_keys, demo, sessions
from services import errors as business
from services.health import Check
from services.keys import Keys, KeysError, open_keys
from services.known_keys import KnownKeys
from services.pages import Cursors
from services.passwords import Passwords
from services.revocations import Revocations
from services.storage import Storage
from services.tokens import Tokens
from settings import Settings, SettingsError
from watch import exposition, metrics, together
from watch.logs import Log
from watch.metrics import Metrics
from watch.together import Together
from watch.tracing import Tracing, TracingError, is_asked_for

ROOT = Path(__file__).resolve().parent
BASE = "/api"
CONTRACTS = {
    index.parent.name: index
    for index in sorted(ROOT.glob("openapi/v*/openapi.yaml"), key=lambda index: int(index.parent.name[1:]))
}
"""The index of each version of the contract; the first is what a request without a version is for."""
PUBLISHED = {version: f"{BASE}/{version}/openapi.json" for version in CONTRACTS}

T = TypeVar("T")

# Connexion's own schema is of OpenAPI 3.0; the contract is checked by the engine, and in the tests as 3.1.
OpenAPISpecification.openapi_schema = {}

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}

ERRORS = Errors({
    business.Malformed: lambda error: _told(400, error),
    business.Unauthenticated: lambda error: Problem(401, str(error), headers=CHALLENGE),
    business.NotFound: lambda error: _told(404, error),
    business.Conflict: lambda error: _told(409, error),
    business.Invalid: lambda error: _told(422, error),
    InFlight: 409,
    Unavailable: lambda error: Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}),
})  # fmt: skip


def create_app(settings: Settings) -> FlaskApp:
    """Return the service; raises ContractError or KeysError rather than a service that does not keep its contract."""
    log = _log(settings)
    tracing = _tracing()
    seam = open_seam(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pool_timeout=settings.database_pool_timeout,
        statement_timeout=settings.database_statement_timeout,
    )
    departure = Departure(settings.drain_seconds)
    meter = _meter(settings)
    exchanges = Exchanges()
    counted = Metrics({
        metrics.IN_FLIGHT: lambda: {"": exchanges.in_flight},
        metrics.POOL_SIZE: lambda: {name: use.size for name, use in seam.uses().items()},
        metrics.POOL_IN_USE: lambda: {name: use.in_use for name, use in seam.uses().items()},
        metrics.POOL_WAITS: lambda: {name: use.waits for name, use in seam.uses().items()},
        metrics.CACHE_HITS: lambda: contract.kept.tally.hits if contract.kept else {},
        metrics.CACHE_MISSES: lambda: contract.kept.tally.misses if contract.kept else {},
        metrics.RATE_LIMITED: lambda: contract.tally.refused,
        metrics.RATE_LIMIT_FALLBACKS: lambda: {"": getattr(meter, "fallbacks", 0)},
    })  # fmt: skip
    processes = Together(together.folder(settings.data_dir), counted)
    checks = {"process": Check(lambda: "The service is about to stop." if departure.is_announced else None)}
    contract = _contract(settings, seam, meter, processes, tracing, checks)
    exchanges.watchers = (counted.watch, log.requests(quiet=_asked_by_machines(contract)))
    versions = Versions(BASE, [version.removeprefix("v") for version in CONTRACTS], vendor="accord")
    cors = [Cors(settings.cors_origins.split(","), contract.path)] if settings.cors_origins else []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        with log.lines.buffered(), closing(tracing) if tracing else nullcontext(), processes.shared():
            with departure.awaited():
                yield {"departure": departure}
            await meter.close()
            await seam.close()

    app = FlaskApp(
        __name__,
        lifespan=lifespan,
        middlewares=[
            _before([exchanges, *([tracing] if tracing else []), *cors, Compression(), versions, contract]),
            ServerErrorMiddleware,
            ExceptionMiddleware,
            LifespanMiddleware,
        ],
    )
    app.add_api(contract.documents[0].raw, resolver=Resolver(_nowhere), resolver_error=404)
    pages.register(app.app, contracts=PUBLISHED, problems=ROOT / "openapi" / "problems.md")
    app.app.register_error_handler(HTTPException, _page_problem)
    app.contract = contract
    return app


def application() -> FlaskApp:
    """Return the service as the environment sets it; a server process calls this."""
    app = create_app(configuration.load())
    # What is there now stays: the garbage collector need not look at it again, and may look less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    return app


def _contract(
    settings: Settings, seam: Seam, meter: rate_limit.Meter | None = None, processes: Together | None = None,
    tracing: Tracing | None = None, checks: Mapping[str, Check] | None = None,
) -> Contract:  # fmt: skip
    documents = {version: _document(version, settings) for version in CONTRACTS}
    first = next(iter(documents.values())).raw
    keys = open_keys(settings.data_dir, settings.signing_keys and settings.signing_keys.get_secret_value())
    access_lifetime = timedelta(seconds=settings.access_token_lifetime)
    roles = first["components"]["securitySchemes"]["bearer"]["x-roles"]

    async def read_key(prefix: str) -> Any:
        return await seam.run("read", lambda session: api_keys.look_up(session, prefix))

    async def note_use(key_id: UUID) -> None:
        await seam.run("write", lambda session: api_keys.note_use(session, key_id))

    async def read_revoked(moment: datetime) -> Any:
        return await seam.run("read", lambda session: sessions.revoked_since(session, moment))

    known_keys = KnownKeys(read_key, note_use, roles=roles)
    tools = {
        "about": {
            "name": first["info"]["title"],
            "version": first["info"]["version"],
            "documentation": "/docs",
            "contract": next(iter(PUBLISHED.values())),
        },
        "checks": checks or {},
        "cursors": Cursors(partial(_cursor_secret, keys)),
        "keys": keys,
        "known_keys": known_keys,
        "metrics": processes or Together(together.folder(settings.data_dir)),
        "passwords": _passwords(settings),
        "revocations": Revocations(read_revoked, token_lifetime=access_lifetime, tell=known_keys.forget),
        "storage": _storage(settings),
        "tokens": Tokens(
            keys,
            issuer=settings.issuer,
            audience=settings.audience,
            access_lifetime=access_lifetime,
            refresh_lifetime=timedelta(seconds=settings.refresh_token_lifetime),
            roles=roles,
        ),
    }
    contract = Contract(
        seam=seam,
        errors=ERRORS,
        tools=tools,
        store=IdempotencyKeys(timedelta(hours=24)),
        trail=audit.follow,
        limits=Limits(settings.body_limit, settings.body_timeout),
        resolver=Resolver(lambda name: tracing.handler(get_function_from_name(name))) if tracing else None,
        ends_at_sunset=settings.ends_at_sunset,
        meter=meter or Memory(),
        fold=fold,
        kept=KeptAnswers(Generations(seam), settings.cache_size) if settings.cache_size else None,
    )
    for version, document in documents.items():
        contract.add(document, f"{BASE}/{version}/openapi")
    contract.check()
    return contract


def _document(version: str, settings: Settings) -> Document:
    """The contract of *version*, with the rate limits that are set."""
    document = Document.read(CONTRACTS[version])
    try:
        rate_limit.override(document, settings.rate_limits)
    except ContractError as error:
        raise SettingsError(f"ACCORD_RATE_LIMITS: {error}") from None
    return document


def _meter(settings: Settings) -> Any:
    if settings.redis_url is None:
        return Memory()
    from meters.shared import Shared  # noqa: PLC0415  # The client takes a third of a second to import.

    return Shared(settings.redis_url)


def _before(around: Sequence[Any]) -> Callable[[Any], Any]:
    """What stands around the pages, the outermost first; Connexion builds its stack so."""
    return lambda next_app: reduce(lambda inner, outer: outer.before(inner), reversed(around), next_app)


def _log(settings: Settings) -> Log:
    """Have all that this process says go one way."""
    file = sys.stderr.buffer
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not file.isatty())
    log = Log(file, as_json=as_json, level=settings.log_level)
    log.take_over()
    return log


def _tracing() -> Tracing | None:
    if not is_asked_for(os.environ):
        return None
    tracing = Tracing(os.environ)
    observed.observe(tracing.query)
    return tracing


def _asked_by_machines(contract: Contract) -> set[str]:
    """Return the operations that machines ask every few seconds; that all is well is not worth a line."""
    paths = ("/health", "/metrics")
    return {operation.id for operation in contract.operations if operation.path.template.startswith(paths)}


def _cursor_secret(keys: Keys) -> bytes:
    """What signs cursors: the oldest signing key, which all servers have and which stays longest."""
    secret: str = list(keys.current().keys.values())[-1].secret()["d"]
    return secret.encode()


def _passwords(settings: Settings) -> Passwords:
    return Passwords(memory_kib=settings.password_memory_kib, time_cost=settings.password_time_cost)


def _storage(settings: Settings) -> Storage:
    return Storage(settings.data_dir / "files")


def _told(status: int, error: business.ServiceError) -> Problem:
    return Problem(status, str(error), [fault for each in error.each or [error] for fault in _fault(each)])


def _fault(error: business.ServiceError) -> Iterator[Fault]:
    code = type(error).__name__.lower()
    if error.pointer is not None:
        yield body_fault(error.pointer, str(error), code)
    elif error.parameter is not None:
        yield parameter_fault("query", error.parameter, str(error), code)


def _nowhere(name: str) -> Any:
    """Keep operations out of Flask: the contract serves them, Flask has the pages beside it."""
    raise ResolverError(name)


def _page_problem(error: HTTPException) -> tuple[bytes, int, dict[str, str]]:
    """Answer for pages as the contract's operations do."""
    detail = "There is nothing at this path." if error.code == 404 else error.description or ""
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    about = exchange(request.environ["asgi.scope"])
    about.problem = Problem(error.code or 500, detail)
    kind = media_type(request.headers.get("Accept", "").encode("latin-1"))
    headers |= {"Content-Type": kind.decode(), "Vary": VARY[1].decode(), "Cache-Control": "no-store"}
    return about.problem.body(request.path, about.identity, kind), about.problem.status, headers


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
    _contract(settings, open_seam(settings.database_url))
    if workers > 1 and settings.redis_url is None:
        click.echo(f"{workers} processes count rate limits each for itself; ACCORD_REDIS_URL unites them.", err=True)
    if reload:
        # What a developer changed should be there at once.
        os.environ["ACCORD_DRAIN_SECONDS"] = "0"
    together.begin(settings.data_dir)
    if settings.metrics_port is not None:
        everyone = Together(together.folder(settings.data_dir))
        start_http_server(settings.metrics_port, settings.metrics_host, exposition.registry(everyone.counts))
    config = uvicorn.Config(
        "main:application",
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
    tools = _passwords(settings), _storage(settings)
    added = _in_database(settings, "write", lambda session: list(demo.fill(session, *tools)))
    click.echo(f"Added {', '.join(added)}." if added else "The demo data is all there.")
    for username, password in demo.LOGINS.values():
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
    storage, age = _storage(settings), timedelta(seconds=seconds)
    swept = _in_database(settings, "read", lambda session: storage.sweep(session, age))
    click.echo(f"Removed {swept.files} files with {swept.bytes} bytes.")


@cli.command()
def check() -> None:
    """Check settings, contract and migrations, and say what is wrong."""
    settings = _settings()
    contract = _contract(settings, open_seam(settings.database_url))
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
    file.write(_document(version, configuration.load()).dumped(as_yaml))


@cli.command()
def operations() -> None:
    """List the operations: id, method, path and scopes."""
    settings = _settings()
    rows = [_row(operation) for operation in _contract(settings, open_seam(settings.database_url)).operations]
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
    _log(settings)
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


if __name__ == "__main__":
    main()
