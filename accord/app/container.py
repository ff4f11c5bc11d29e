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
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.request import BodyLimits
from accord.identity import api_keys, sessions
from accord.identity.access_tokens import AccessTokens
from accord.identity.api_key_cache import ApiKeyCache
from accord.identity.passwords import PasswordHasher
from accord.identity.revocation_list import RevocationList
from accord.identity.signing_keys import SigningKeys, open_signing_keys
from accord.middleware.request_context import ActiveRequests
from accord.rate_limits.memory import MemoryStorage
from accord.server.shutdown import GracefulShutdown
from accord.settings import Settings
from accord.storage.files import FileStorage
from accord.telemetry import metrics, multiprocess
from accord.telemetry.logs import LogHandler, configure_logging
from accord.telemetry.metrics import Metrics
from accord.telemetry.multiprocess import MultiprocessMetrics
from accord.telemetry.tracing import Tracing
from db import audit
from db.cache_versions import CacheVersions
from db.database import Database, open_database
from db.idempotency import IdempotencyStore
from db.pagination import CursorSigner
from db.text import casefold
from services.health import HealthCheck

if TYPE_CHECKING:
    from accord.rate_limits.redis import RedisStorage


class Container:
    """
    Builds each part of the service when it is first asked for; nothing is open or under way yet.

    Parts raise SettingsError, ContractError or KeysError rather than be a service that does not keep its contract.
    """

    def __init__(self, settings: Settings, tracing: Tracing | None = None) -> None:
        self.settings = settings
        self.tracing = tracing

    @cached_property
    def log(self) -> LogHandler:
        return configure_logging(self.settings.log_format, self.settings.log_level)

    @cached_property
    def database(self) -> Database:
        settings = self.settings
        return open_database(
            settings.database_url,
            pool_size=settings.database_pool_size,
            pool_timeout=settings.database_pool_timeout,
            statement_timeout=settings.database_statement_timeout,
        )

    @cached_property
    def graceful_shutdown(self) -> GracefulShutdown:
        return GracefulShutdown(self.settings.drain_seconds)

    @cached_property
    def health_checks(self) -> dict[str, HealthCheck]:
        """What says whether the service is ready."""
        departure, redis = self.graceful_shutdown, self.redis
        checks = {"process": HealthCheck(lambda: "The service is about to stop." if departure.is_draining else None)}
        if redis:
            checks["redis"] = HealthCheck(lambda: redis.error, is_needed=False)
        return checks

    @cached_property
    def redis(self) -> "RedisStorage | None":
        if not self.settings.redis_url:
            return None
        from accord.rate_limits.redis import RedisStorage  # noqa: PLC0415  # The client takes a third of a second to import.

        return RedisStorage(self.settings.redis_url)

    @cached_property
    def rate_limit_storage(self) -> "MemoryStorage | RedisStorage":
        return self.redis or MemoryStorage()

    @cached_property
    def rate_limit_stats(self) -> rate_limits.RateLimitStats:
        return rate_limits.RateLimitStats()

    @cached_property
    def response_cache(self) -> ResponseCache:
        return ResponseCache(CacheVersions(self.database), self.settings.response_cache_size)

    @cached_property
    def active_requests(self) -> ActiveRequests:
        return ActiveRequests()

    @cached_property
    def metrics(self) -> Metrics:
        active, seam, kept, tally, redis = (
            self.active_requests,
            self.database,
            self.response_cache,
            self.rate_limit_stats,
            self.redis,
        )
        read: dict[metrics.Instrument, metrics.Callback] = {
            metrics.IN_FLIGHT: lambda: {"": active.count},
            metrics.POOL_SIZE: lambda: {name: use.size for name, use in seam.pool_stats().items()},
            metrics.POOL_IN_USE: lambda: {name: use.in_use for name, use in seam.pool_stats().items()},
            metrics.POOL_WAITS: lambda: {name: use.waits for name, use in seam.pool_stats().items()},
            metrics.RATE_LIMIT_REJECTIONS: lambda: tally.rejected,
            metrics.RESPONSE_CACHE_HITS: lambda: kept.stats.hits,
            metrics.RESPONSE_CACHE_MISSES: lambda: kept.stats.misses,
        }
        if redis:
            read[metrics.RATE_LIMIT_FALLBACKS] = lambda: {"": redis.fallbacks}
        return Metrics(read)

    @cached_property
    def multiprocess_metrics(self) -> MultiprocessMetrics:
        return MultiprocessMetrics(multiprocess.directory(self.settings.data_dir), self.metrics)

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
    def service_info(self) -> dict[str, str]:
        """What the index of the service tells of it."""
        info = self.first_document["info"]
        return {
            "name": info["title"],
            "version": info["version"],
            "documentation": "/docs",
            "contract": next(iter(PUBLISHED.values())),
        }

    @cached_property
    def signing_keys(self) -> SigningKeys:
        given = self.settings.signing_keys
        return open_signing_keys(self.settings.data_dir, given.get_secret_value() if given else None)

    @cached_property
    def cursors(self) -> CursorSigner:
        return CursorSigner(partial(_cursor_secret, self.signing_keys))

    @cached_property
    def access_token_lifetime(self) -> timedelta:
        return timedelta(seconds=self.settings.access_token_lifetime)

    @cached_property
    def access_tokens(self) -> AccessTokens:
        return AccessTokens(
            self.signing_keys,
            issuer=self.settings.token_issuer,
            audience=self.settings.token_audience,
            access_lifetime=self.access_token_lifetime,
            refresh_lifetime=timedelta(seconds=self.settings.refresh_token_lifetime),
            roles=self.roles,
        )

    @cached_property
    def api_key_cache(self) -> ApiKeyCache:
        seam = self.database

        async def read_key(prefix: str) -> Any:
            return await seam.run("read", lambda session: api_keys.find_by_prefix(session, prefix))

        async def note_use(key_id: UUID) -> None:
            await seam.run("write", lambda session: api_keys.record_use(session, key_id))

        return ApiKeyCache(read_key, note_use, roles=self.roles)

    @cached_property
    def revocation_list(self) -> RevocationList:
        seam = self.database

        async def read_revoked(moment: datetime) -> Any:
            return await seam.run("read", lambda session: sessions.revoked_since(session, moment))

        return RevocationList(
            read_revoked, token_lifetime=self.access_token_lifetime, on_change=self.api_key_cache.clear
        )

    @cached_property
    def password_hasher(self) -> PasswordHasher:
        return PasswordHasher(
            memory_cost=self.settings.password_memory_cost, time_cost=self.settings.password_time_cost
        )

    @cached_property
    def file_storage(self) -> FileStorage:
        return FileStorage(self.settings.data_dir / "files")

    @cached_property
    def dependencies(self) -> dict[str, Any]:
        """What handlers and security functions get by name."""
        return {
            "service_info": self.service_info,
            "health_checks": self.health_checks,
            "cursors": self.cursors,
            "signing_keys": self.signing_keys,
            "api_key_cache": self.api_key_cache,
            "metrics": self.multiprocess_metrics,
            "password_hasher": self.password_hasher,
            "revocation_list": self.revocation_list,
            "file_storage": self.file_storage,
            "access_tokens": self.access_tokens,
        }

    @cached_property
    def resolver(self) -> Resolver | None:
        """What finds the functions of operations; None for Connexion's own."""
        tracing = self.tracing
        return Resolver(lambda name: tracing.instrument_handler(get_function_from_name(name))) if tracing else None

    @cached_property
    def contract(self) -> Contract:
        settings = self.settings
        contract = Contract(
            database=self.database,
            exception_handlers=ERRORS,
            dependencies=self.dependencies,
            idempotency_store=IdempotencyStore(timedelta(hours=24)),
            audit_log=audit.track,
            body_limits=BodyLimits(settings.max_body_size, settings.body_timeout),
            resolver=self.resolver,
            enforce_sunset=settings.enforce_sunset,
            rate_limit_storage=self.rate_limit_storage,
            rate_limit_stats=self.rate_limit_stats,
            casefold=casefold,
            response_cache=self.response_cache if settings.response_cache_size else None,
        )
        for version, each in self.documents.items():
            contract.add_document(each, f"{BASE}/{version}/openapi")
        contract.validate()
        return contract


def _cursor_secret(keys: SigningKeys) -> bytes:
    """Return what signs cursors: the oldest signing key, which all servers have and which stays longest."""
    secret: str = list(keys.current().keys.values())[-1].private_jwk()["d"]
    return secret.encode()
