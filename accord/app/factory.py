"""Puts the service together: gives every part what it needs of the others."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from datetime import datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any
from uuid import UUID

from connexion import FlaskApp
from connexion.exceptions import ResolverError
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.server_error import ServerErrorMiddleware
from connexion.resolver import Resolver
from connexion.spec import OpenAPISpecification
from connexion.utils import get_function_from_name
from flask import request
from werkzeug.exceptions import HTTPException

from accord import errors as business
from accord import portal
from accord import settings as configuration
from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.engine.middleware import Contract
from accord.engine.policies import rate_limits
from accord.engine.policies.response_cache import KeptAnswers
from accord.engine.problems import VARY, Errors, Fault, Problem, body_fault, media_type, parameter_fault
from accord.engine.request import Limits, exchange
from accord.identity import api_keys, sessions
from accord.identity.access_tokens import Tokens
from accord.identity.api_key_cache import KnownKeys
from accord.identity.passwords import Passwords
from accord.identity.revocation_list import Revocations
from accord.identity.signing_keys import Keys, open_keys
from accord.middleware.compression import Compression
from accord.middleware.cors import Cors
from accord.middleware.request_context import Exchanges
from accord.middleware.versioning import Versions
from accord.rate_limits.memory import Memory
from accord.server.shutdown import Departure
from accord.settings import Settings, SettingsError
from accord.storage.files import Storage
from accord.telemetry import metrics, multiprocess
from accord.telemetry.logs import Log
from accord.telemetry.metrics import Metrics
from accord.telemetry.multiprocess import Together
from accord.telemetry.tracing import Tracing, is_asked_for
from db import audit, instrumentation
from db.cache_versions import Generations
from db.database import open_seam
from db.errors import InFlight, Unavailable
from db.idempotency import IdempotencyKeys
from db.pagination import Cursors, InvalidCursor
from db.text import fold
from services.health import Check

ROOT = Path(__file__).resolve().parents[2]
BASE = "/api"
CONTRACTS = {
    index.parent.name: index
    for index in sorted(ROOT.glob("openapi/v*/openapi.yaml"), key=lambda index: int(index.parent.name[1:]))
}
"""The index of each version of the contract; the first is what a request without a version is for."""
PUBLISHED = {version: f"{BASE}/{version}/openapi.json" for version in CONTRACTS}

# Connexion's own schema is of OpenAPI 3.0; the contract is checked by the engine, and in the tests as 3.1.
OpenAPISpecification.openapi_schema = {}

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}

ERRORS = Errors({
    InvalidCursor: lambda error: _cursor_problem(error),
    business.Unauthenticated: lambda error: Problem(401, str(error), headers=CHALLENGE),
    business.NotFound: lambda error: _told(404, error),
    business.Conflict: lambda error: _told(409, error),
    business.Invalid: lambda error: _told(422, error),
    InFlight: 409,
    Unavailable: lambda error: Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}),
})  # fmt: skip


class Service:
    """
    All parts of the service, each with what it needs of the others; nothing is open or under way yet.

    Raises ContractError or KeysError rather than being a service that does not keep its contract.
    """

    def __init__(self, settings: Settings, tracing: Tracing | None = None) -> None:
        self.settings = settings
        self.tracing = tracing
        self.seam = seam = open_seam(
            settings.database_url,
            pool_size=settings.database_pool_size,
            pool_timeout=settings.database_pool_timeout,
            statement_timeout=settings.database_statement_timeout,
        )
        self.departure = departure = Departure(settings.drain_seconds)
        self.checks = {"process": Check(lambda: "The service is about to stop." if departure.is_announced else None)}
        self.exchanges = exchanges = Exchanges()
        self.kept = kept = KeptAnswers(Generations(seam), settings.cache_size)
        self.tally = tally = rate_limits.Tally()
        read: dict[metrics.Measure, metrics.Read] = {
            metrics.IN_FLIGHT: lambda: {"": exchanges.in_flight},
            metrics.POOL_SIZE: lambda: {name: use.size for name, use in seam.uses().items()},
            metrics.POOL_IN_USE: lambda: {name: use.in_use for name, use in seam.uses().items()},
            metrics.POOL_WAITS: lambda: {name: use.waits for name, use in seam.uses().items()},
            metrics.RATE_LIMITED: lambda: tally.refused,
            metrics.CACHE_HITS: lambda: kept.tally.hits,
            metrics.CACHE_MISSES: lambda: kept.tally.misses,
        }
        self.meter: Any = Memory()
        if settings.redis_url:
            from accord.rate_limits.redis import Shared  # noqa: PLC0415  # The client takes a third of a second to import.

            self.meter = shared = Shared(settings.redis_url)
            self.checks["redis"] = Check(lambda: shared.fault, is_needed=False)
            read[metrics.RATE_LIMIT_FALLBACKS] = lambda: {"": shared.fallbacks}
        self.metrics = Metrics(read)
        self.processes = Together(multiprocess.folder(settings.data_dir), self.metrics)
        self.contract = self._contract()

    def app(self, log: Log) -> FlaskApp:
        """Return what serves, and tells *log* of it."""
        contract, settings = self.contract, self.settings
        self.exchanges.watchers = (self.metrics.watch, log.requests(quiet=_asked_by_machines(contract)))
        around = [self.exchanges]
        around += [self.tracing] if self.tracing else []
        around += [Cors(settings.cors_origins.split(","), contract.path)] if settings.cors_origins else []
        around += [Compression(), Versions(BASE, [version.removeprefix("v") for version in CONTRACTS], vendor="accord")]
        app = FlaskApp(
            __name__,
            lifespan=partial(self._lifespan, log),
            middlewares=[
                _before([*around, contract]),
                ServerErrorMiddleware,
                ExceptionMiddleware,
                LifespanMiddleware,
            ],
        )
        app.add_api(contract.documents[0].raw, resolver=Resolver(_nowhere), resolver_error=404)
        portal.register(app.app, contracts=PUBLISHED, problems=ROOT / "openapi" / "problems.md")
        app.app.register_error_handler(HTTPException, _page_problem)
        return app

    @asynccontextmanager
    async def _lifespan(self, log: Log, _: Any) -> AsyncIterator[dict[str, Any]]:
        with log.lines.buffered(), closing(self.tracing) if self.tracing else nullcontext(), self.processes.shared():
            with self.departure.awaited():
                yield {"departure": self.departure}
            await self.meter.close()
            await self.seam.close()

    def _contract(self) -> Contract:
        settings, tracing = self.settings, self.tracing
        documents = {version: document(version, settings) for version in CONTRACTS}
        contract = Contract(
            seam=self.seam,
            errors=ERRORS,
            tools=self._tools(next(iter(documents.values()))),
            store=IdempotencyKeys(timedelta(hours=24)),
            trail=audit.follow,
            limits=Limits(settings.body_limit, settings.body_timeout),
            resolver=Resolver(lambda name: tracing.handler(get_function_from_name(name))) if tracing else None,
            ends_at_sunset=settings.ends_at_sunset,
            meter=self.meter,
            tally=self.tally,
            fold=fold,
            kept=self.kept if settings.cache_size else None,
        )
        for version, each in documents.items():
            contract.add(each, f"{BASE}/{version}/openapi")
        contract.check()
        return contract

    def _tools(self, first: Document) -> dict[str, Any]:
        """Return what handlers and security functions get by name."""
        settings, seam = self.settings, self.seam
        keys = open_keys(settings.data_dir, settings.signing_keys and settings.signing_keys.get_secret_value())
        access_lifetime = timedelta(seconds=settings.access_token_lifetime)
        roles = first.raw["components"]["securitySchemes"]["bearer"]["x-roles"]

        async def read_key(prefix: str) -> Any:
            return await seam.run("read", lambda session: api_keys.look_up(session, prefix))

        async def note_use(key_id: UUID) -> None:
            await seam.run("write", lambda session: api_keys.note_use(session, key_id))

        async def read_revoked(moment: datetime) -> Any:
            return await seam.run("read", lambda session: sessions.revoked_since(session, moment))

        known_keys = KnownKeys(read_key, note_use, roles=roles)
        return {
            "about": {
                "name": first.raw["info"]["title"],
                "version": first.raw["info"]["version"],
                "documentation": "/docs",
                "contract": next(iter(PUBLISHED.values())),
            },
            "checks": self.checks,
            "cursors": Cursors(partial(_cursor_secret, keys)),
            "keys": keys,
            "known_keys": known_keys,
            "metrics": self.processes,
            "passwords": passwords(settings),
            "revocations": Revocations(read_revoked, token_lifetime=access_lifetime, tell=known_keys.forget),
            "storage": storage(settings),
            "tokens": Tokens(
                keys,
                issuer=settings.issuer,
                audience=settings.audience,
                access_lifetime=access_lifetime,
                refresh_lifetime=timedelta(seconds=settings.refresh_token_lifetime),
                roles=roles,
            ),
        }


def application() -> FlaskApp:
    """Return the service as the environment sets it; a server process calls this."""
    settings = configuration.load()
    app = Service(settings, _tracing()).app(take_log(settings))
    # What is there now stays: the garbage collector need not look at it again, and may look less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    return app


def document(version: str, settings: Settings) -> Document:
    """The contract of *version*, with the rate limits that are set."""
    document = Document.read(CONTRACTS[version])
    try:
        rate_limits.override(document, settings.rate_limits)
    except ContractError as error:
        raise SettingsError(f"ACCORD_RATE_LIMITS: {error}") from None
    return document


def passwords(settings: Settings) -> Passwords:
    return Passwords(memory_kib=settings.password_memory_kib, time_cost=settings.password_time_cost)


def storage(settings: Settings) -> Storage:
    return Storage(settings.data_dir / "files")


def take_log(settings: Settings) -> Log:
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
    instrumentation.observe(tracing.query)
    return tracing


def _before(around: Sequence[Any]) -> Callable[[Any], Any]:
    """What stands around the pages, the outermost first; Connexion builds its stack so."""
    return lambda next_app: reduce(lambda inner, outer: outer.before(inner), reversed(around), next_app)


def _asked_by_machines(contract: Contract) -> set[str]:
    """Return the operations that machines ask every few seconds; that all is well is not worth a line."""
    paths = ("/health", "/metrics")
    return {operation.id for operation in contract.operations if operation.path.template.startswith(paths)}


def _cursor_secret(keys: Keys) -> bytes:
    """What signs cursors: the oldest signing key, which all servers have and which stays longest."""
    secret: str = list(keys.current().keys.values())[-1].secret()["d"]
    return secret.encode()


def _told(status: int, error: business.ServiceError) -> Problem:
    return Problem(status, str(error), [fault for each in error.each or [error] for fault in _fault(each)])


def _cursor_problem(error: InvalidCursor) -> Problem:
    return Problem(400, str(error), [parameter_fault("query", "cursor", str(error), "malformed")])


def _fault(error: business.ServiceError) -> Iterator[Fault]:
    if error.pointer is not None:
        yield body_fault(error.pointer, str(error), error.code)
    elif error.parameter is not None:
        yield parameter_fault("query", error.parameter, str(error), error.code)


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
