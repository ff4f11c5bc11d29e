"""The container, which builds each part of the service with the parts that it needs."""

import tempfile
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from connexion.resolver import Resolver
from connexion.utils import get_function_from_name
from sqlalchemy import make_url

from accord.app.document_cache import DocumentCache
from accord.app.documents import API_PREFIX, CONTRACTS, PUBLISHED, override_limits
from accord.app.exception_handlers import ERRORS
from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.engine.contract import Contract
from accord.engine.policies import rate_limits
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.raised_errors import RaisedErrors
from accord.engine.request import BodyLimits
from accord.errors import ServiceError
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
from accord.storage.disks import disk_error
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


_BUSINESS_RULES = ("handlers", "services", "accord.errors", "accord.identity", "accord.storage", "db")
"""The packages whose functions can raise the errors of handlers."""


class Container:
    """
    Builds each part of the service on first access and stores it. No part connects to anything or starts a task yet.

    Properties raise SettingsError, ContractError or SigningKeysError if the service could not follow its contract.
    `tracing` is None if no spans are exported. Without *document_cache*, the contract is read from its files and
    validated.
    """

    def __init__(
        self, settings: Settings, tracing: Tracing | None = None, document_cache: DocumentCache | None = None
    ) -> None:
        self.settings = settings
        self.tracing = tracing
        self._document_cache = document_cache
        self._unstored: bytes | None = None
        """The documents to store when they have passed validation, without the limits of the settings."""

    @cached_property
    def log(self) -> LogHandler:
        """Configure logging for the process and return its handler."""
        return configure_logging(self.settings.log_format, self.settings.log_level)

    @cached_property
    def database(self) -> Database:
        """Return the database, which connects when the first unit of work runs."""
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
        """Return the checks of readiness by name, beside those of the database."""
        shutdown, redis = self.graceful_shutdown, self.redis
        checks = {"process": HealthCheck(lambda: "The service is about to stop." if shutdown.is_draining else None)}
        checks["disk"] = HealthCheck(partial(disk_error, self._written_folders()), is_needed=False)
        if redis:
            checks["redis"] = HealthCheck(lambda: redis.error, is_needed=False)
        return checks

    def _written_folders(self) -> dict[str, Path]:
        folders = {"files": self.settings.data_dir, "temporary files": Path(tempfile.gettempdir())}
        # `make_url` cannot read the URLs of PostgreSQL that have several hosts.
        if self.settings.database_url.startswith("sqlite:"):
            folders["database"] = Path(str(make_url(self.settings.database_url).database)).parent
        return folders

    @cached_property
    def redis(self) -> "RedisStorage | None":
        """Return the rate limit storage in Redis; None if the settings name no Redis."""
        if not self.settings.redis_url:
            return None
        from accord.rate_limits.redis import RedisStorage  # noqa: PLC0415  # Its import takes a third of a second.

        return RedisStorage(self.settings.redis_url)

    @cached_property
    def rate_limit_storage(self) -> "MemoryStorage | RedisStorage":
        """Return the counters of rate limits: in Redis for all processes, or in memory for this one."""
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
        """Return the metrics of this process, with callbacks for the counts of other parts."""
        database, response_cache, redis = self.database, self.response_cache, self.redis
        active_requests, rate_limit_stats = self.active_requests, self.rate_limit_stats
        callbacks: dict[metrics.Instrument, metrics.Callback] = {
            metrics.IN_FLIGHT: lambda: {"": active_requests.count},
            metrics.POOL_SIZE: lambda: {name: stats.size for name, stats in database.pool_stats().items()},
            metrics.POOL_IN_USE: lambda: {name: stats.in_use for name, stats in database.pool_stats().items()},
            metrics.POOL_WAITS: lambda: {name: stats.waits for name, stats in database.pool_stats().items()},
            metrics.RATE_LIMIT_REJECTIONS: lambda: rate_limit_stats.rejected,
            metrics.RESPONSE_CACHE_HITS: lambda: response_cache.stats.hits,
            metrics.RESPONSE_CACHE_MISSES: lambda: response_cache.stats.misses,
        }
        if redis:
            callbacks[metrics.RATE_LIMIT_FALLBACKS] = lambda: {"": redis.fallbacks}
        return Metrics(callbacks)

    @cached_property
    def multiprocess_metrics(self) -> MultiprocessMetrics:
        """Return the metrics of all worker processes."""
        return MultiprocessMetrics(multiprocess.directory(self.settings.data_dir), self.metrics)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Return the contract of each version, the first version first."""
        cache = self._document_cache
        documents = cache.load() if cache else None
        if documents is None:
            documents = {version: Document.read(index) for version, index in CONTRACTS.items()}
            self._unstored = cache.serialize(documents) if cache else None
        for document in documents.values():
            override_limits(document, self.settings)
        return documents

    @cached_property
    def first_spec(self) -> dict[str, Any]:
        """Return the OpenAPI document of the first version as a dict, read from its YAML files."""
        return next(iter(self.documents.values())).raw

    @cached_property
    def roles(self) -> dict[str, list[str]]:
        """Return the scopes of each role."""
        roles: dict[str, list[str]] = self.first_spec["components"]["securitySchemes"]["bearer"]["x-roles"]
        return roles

    @cached_property
    def service_info(self) -> dict[str, str]:
        """Return the members of the service index: `name`, `version`, `documentation` and `contract`."""
        info = self.first_spec["info"]
        return {
            "name": info["title"],
            "version": info["version"],
            "documentation": "/docs",
            "contract": next(iter(PUBLISHED.values())),
        }

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """Return the signing keys of the settings, or else of the data folder."""
        secret = self.settings.signing_keys
        return open_signing_keys(self.settings.data_dir, secret.get_secret_value() if secret else None)

    @cached_property
    def cursors(self) -> CursorSigner:
        return CursorSigner(self.signing_keys.secret)

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
            refresh_grace=timedelta(seconds=self.settings.refresh_token_grace),
            roles=self.roles,
        )

    @cached_property
    def api_key_cache(self) -> ApiKeyCache:
        """Return the cache of API keys, which runs its queries in units of work of their own."""
        database = self.database

        async def find_by_prefix(prefix: str) -> Any:
            return await database.run("read", lambda session: api_keys.find_by_prefix(session, prefix))

        async def record_use(key_id: UUID) -> None:
            await database.run("write", lambda session: api_keys.record_use(session, key_id))

        return ApiKeyCache(find_by_prefix, record_use, roles=self.roles)

    @cached_property
    def revocation_list(self) -> RevocationList:
        """Return the revocation list. A revocation also clears the cache of API keys."""
        database = self.database

        async def revoked_since(moment: datetime) -> Any:
            return await database.run("read", lambda session: sessions.revoked_since(session, moment))

        return RevocationList(
            revoked_since, token_lifetime=self.access_token_lifetime, on_change=self.api_key_cache.clear
        )

    async def session_last_use(self, session_id: UUID) -> datetime | None:
        """Return the time of the last log-in or refresh of a session, from the database."""
        return await self.database.run("read", lambda session: sessions.last_use(session, session_id))

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
        """Return the dependencies: the values that handlers and security functions get by parameter name."""
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
            "session_last_use": self.session_last_use,
        }

    @cached_property
    def resolver(self) -> Resolver | None:
        """Return the resolver that traces handlers; None, which stands for Connexion's own, without tracing."""
        tracing = self.tracing
        if tracing is None:
            return None
        return Resolver(lambda name: tracing.instrument_handler(get_function_from_name(name)))

    @cached_property
    def contract(self) -> Contract:
        """Return the compiled contract of all versions. Raises ContractError if it is invalid."""
        try:
            contract = self._compile_contract()
        except ContractError:
            if not any(document.is_valid for document in self.documents.values()):
                raise
            # Stored documents have no places, which the error of the files has.
            self._document_cache = None
            del self.documents
            contract = self._compile_contract()
        if self._document_cache and self._unstored:
            self._document_cache.store(self._unstored)
            self._unstored = None
        return contract

    def _compile_contract(self) -> Contract:
        settings = self.settings
        contract = Contract(
            database=self.database,
            exception_handlers=ERRORS,
            dependencies=self.dependencies,
            idempotency_store=IdempotencyStore(timedelta(hours=24)),
            track_changes=audit.track,
            body_limits=BodyLimits(settings.max_body_size, settings.body_timeout),
            resolver=self.resolver,
            enforce_sunset=settings.enforce_sunset,
            rate_limit_storage=self.rate_limit_storage,
            rate_limit_stats=self.rate_limit_stats,
            casefold=casefold,
            response_cache=self.response_cache if settings.response_cache_size else None,
        )
        for version, document in self.documents.items():
            contract.add_document(document, f"{API_PREFIX}/{version}/openapi")
        contract.validate()
        return contract

    @cached_property
    def raised_errors(self) -> RaisedErrors:
        """Return the analysis of the errors that handlers can raise."""
        return RaisedErrors(_BUSINESS_RULES, [ServiceError, *ERRORS.classes])
