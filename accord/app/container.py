"""The parts of the service, each built with the parts that it needs."""

from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from connexion.resolver import Resolver
from connexion.utils import get_function_from_name

from accord.app.documents import BASE, CONTRACTS, PUBLISHED, document
from accord.app.exception_handlers import ERRORS
from accord.contract.document import Document
from accord.engine.contract import Contract
from accord.engine.policies import rate_limits
from accord.engine.policies.response_cache import KeptAnswers
from accord.engine.request import Limits
from accord.identity import api_keys, sessions
from accord.identity.access_tokens import Tokens
from accord.identity.api_key_cache import KnownKeys
from accord.identity.passwords import Passwords
from accord.identity.revocation_list import Revocations
from accord.identity.signing_keys import Keys, open_keys
from accord.middleware.request_context import ActiveRequests
from accord.rate_limits.memory import Memory
from accord.server.shutdown import Departure
from accord.settings import Settings
from accord.storage.files import Storage
from accord.telemetry import metrics, multiprocess
from accord.telemetry.logs import Log, configure_logging
from accord.telemetry.metrics import Metrics
from accord.telemetry.multiprocess import Together
from accord.telemetry.tracing import Tracing
from db import audit
from db.cache_versions import Generations
from db.database import Seam, open_seam
from db.idempotency import IdempotencyKeys
from db.pagination import Cursors
from db.text import fold
from services.health import Check

if TYPE_CHECKING:
    from accord.rate_limits.redis import Shared


class Container:
    """
    Builds each part of the service when it is first asked for; nothing is open or under way yet.

    Parts raise SettingsError, ContractError or KeysError rather than be a service that does not keep its contract.
    """

    def __init__(self, settings: Settings, tracing: Tracing | None = None) -> None:
        self.settings = settings
        self.tracing = tracing

    @cached_property
    def log(self) -> Log:
        return configure_logging(self.settings.log_format, self.settings.log_level)

    @cached_property
    def seam(self) -> Seam:
        settings = self.settings
        return open_seam(
            settings.database_url,
            pool_size=settings.database_pool_size,
            pool_timeout=settings.database_pool_timeout,
            statement_timeout=settings.database_statement_timeout,
        )

    @cached_property
    def departure(self) -> Departure:
        return Departure(self.settings.drain_seconds)

    @cached_property
    def checks(self) -> dict[str, Check]:
        """What says whether the service is ready."""
        departure, redis = self.departure, self.redis
        checks = {"process": Check(lambda: "The service is about to stop." if departure.is_announced else None)}
        if redis:
            checks["redis"] = Check(lambda: redis.fault, is_needed=False)
        return checks

    @cached_property
    def redis(self) -> "Shared | None":
        if not self.settings.redis_url:
            return None
        from accord.rate_limits.redis import Shared  # noqa: PLC0415  # The client takes a third of a second to import.

        return Shared(self.settings.redis_url)

    @cached_property
    def meter(self) -> "Memory | Shared":
        return self.redis or Memory()

    @cached_property
    def tally(self) -> rate_limits.Tally:
        return rate_limits.Tally()

    @cached_property
    def kept(self) -> KeptAnswers:
        return KeptAnswers(Generations(self.seam), self.settings.cache_size)

    @cached_property
    def active_requests(self) -> ActiveRequests:
        return ActiveRequests()

    @cached_property
    def metrics(self) -> Metrics:
        active, seam, kept, tally, redis = self.active_requests, self.seam, self.kept, self.tally, self.redis
        read: dict[metrics.Measure, metrics.Read] = {
            metrics.IN_FLIGHT: lambda: {"": active.count},
            metrics.POOL_SIZE: lambda: {name: use.size for name, use in seam.uses().items()},
            metrics.POOL_IN_USE: lambda: {name: use.in_use for name, use in seam.uses().items()},
            metrics.POOL_WAITS: lambda: {name: use.waits for name, use in seam.uses().items()},
            metrics.RATE_LIMITED: lambda: tally.refused,
            metrics.CACHE_HITS: lambda: kept.tally.hits,
            metrics.CACHE_MISSES: lambda: kept.tally.misses,
        }
        if redis:
            read[metrics.RATE_LIMIT_FALLBACKS] = lambda: {"": redis.fallbacks}
        return Metrics(read)

    @cached_property
    def processes(self) -> Together:
        return Together(multiprocess.folder(self.settings.data_dir), self.metrics)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The contract of each version, the first one first."""
        return {version: document(version, self.settings) for version in CONTRACTS}

    @cached_property
    def first_document(self) -> dict[str, Any]:
        return next(iter(self.documents.values())).raw

    @cached_property
    def roles(self) -> dict[str, list[str]]:
        roles: dict[str, list[str]] = self.first_document["components"]["securitySchemes"]["bearer"]["x-roles"]
        return roles

    @cached_property
    def about(self) -> dict[str, str]:
        """What the index of the service tells of it."""
        info = self.first_document["info"]
        return {
            "name": info["title"],
            "version": info["version"],
            "documentation": "/docs",
            "contract": next(iter(PUBLISHED.values())),
        }

    @cached_property
    def keys(self) -> Keys:
        given = self.settings.signing_keys
        return open_keys(self.settings.data_dir, given.get_secret_value() if given else None)

    @cached_property
    def cursors(self) -> Cursors:
        return Cursors(partial(_cursor_secret, self.keys))

    @cached_property
    def access_token_lifetime(self) -> timedelta:
        return timedelta(seconds=self.settings.access_token_lifetime)

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(
            self.keys,
            issuer=self.settings.issuer,
            audience=self.settings.audience,
            access_lifetime=self.access_token_lifetime,
            refresh_lifetime=timedelta(seconds=self.settings.refresh_token_lifetime),
            roles=self.roles,
        )

    @cached_property
    def known_keys(self) -> KnownKeys:
        seam = self.seam

        async def read_key(prefix: str) -> Any:
            return await seam.run("read", lambda session: api_keys.look_up(session, prefix))

        async def note_use(key_id: UUID) -> None:
            await seam.run("write", lambda session: api_keys.note_use(session, key_id))

        return KnownKeys(read_key, note_use, roles=self.roles)

    @cached_property
    def revocations(self) -> Revocations:
        seam = self.seam

        async def read_revoked(moment: datetime) -> Any:
            return await seam.run("read", lambda session: sessions.revoked_since(session, moment))

        return Revocations(read_revoked, token_lifetime=self.access_token_lifetime, tell=self.known_keys.forget)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(memory_kib=self.settings.password_memory_kib, time_cost=self.settings.password_time_cost)

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.settings.data_dir / "files")

    @cached_property
    def tools(self) -> dict[str, Any]:
        """What handlers and security functions get by name."""
        return {
            "about": self.about,
            "checks": self.checks,
            "cursors": self.cursors,
            "keys": self.keys,
            "known_keys": self.known_keys,
            "metrics": self.processes,
            "passwords": self.passwords,
            "revocations": self.revocations,
            "storage": self.storage,
            "tokens": self.tokens,
        }

    @cached_property
    def resolver(self) -> Resolver | None:
        """What finds the functions of operations; None for Connexion's own."""
        tracing = self.tracing
        return Resolver(lambda name: tracing.handler(get_function_from_name(name))) if tracing else None

    @cached_property
    def contract(self) -> Contract:
        settings = self.settings
        contract = Contract(
            seam=self.seam,
            errors=ERRORS,
            tools=self.tools,
            store=IdempotencyKeys(timedelta(hours=24)),
            trail=audit.follow,
            limits=Limits(settings.body_limit, settings.body_timeout),
            resolver=self.resolver,
            ends_at_sunset=settings.ends_at_sunset,
            meter=self.meter,
            tally=self.tally,
            fold=fold,
            kept=self.kept if settings.cache_size else None,
        )
        for version, each in self.documents.items():
            contract.add_document(each, f"{BASE}/{version}/openapi")
        contract.validate()
        return contract


def _cursor_secret(keys: Keys) -> bytes:
    """Return what signs cursors: the oldest signing key, which all servers have and which stays longest."""
    secret: str = list(keys.current().keys.values())[-1].secret()["d"]
    return secret.encode()
