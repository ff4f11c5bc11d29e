"""The contracts of a service, compiled into operations."""

from collections.abc import Callable, Mapping
from typing import Any

from connexion.resolver import Resolver

from accord.contract import validation
from accord.contract.document import Document
from accord.contract.errors import ContractError, error_at
from accord.contract.json_schemas import JsonSchemas
from accord.engine import security
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.operation import DocumentContext, Operation, Policy
from accord.engine.policies import Database
from accord.engine.policies.audit import Audit, AuditLog
from accord.engine.policies.cache_control import PUBLIC_NO_CACHE, CacheProfiles
from accord.engine.policies.conditional_requests import etag, if_match, if_none_match
from accord.engine.policies.content_negotiation import content_negotiation
from accord.engine.policies.idempotency import Idempotency, IdempotencyStore
from accord.engine.policies.range_requests import byte_ranges
from accord.engine.policies.rate_limits import RateLimitPolicies, RateLimitStats, RateLimitStorage
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.policies.sparse_fieldsets import sparse_fieldsets
from accord.engine.problems import ExceptionHandlers
from accord.engine.renderers import links
from accord.engine.renderers.response import Response
from accord.engine.renderers.serializer import Serializers
from accord.engine.request import BodyLimits
from accord.engine.resolution import function_of, public_functions
from accord.engine.routing import PathItem, Router


class Contract:
    """The documents that are served, their operations compiled. `ContractMiddleware` serves them."""

    def __init__(
        self,
        *,
        database: Database,
        exception_handlers: ExceptionHandlers,
        dependencies: Mapping[str, Any] | None = None,
        idempotency_store: IdempotencyStore | None = None,
        audit_log: AuditLog | None = None,
        body_limits: BodyLimits | None = None,
        resolver: Resolver | None = None,
        enforce_sunset: bool = False,
        rate_limit_storage: RateLimitStorage | None = None,
        rate_limit_stats: RateLimitStats | None = None,
        casefold: Callable[[str], str] = str.casefold,
        response_cache: ResponseCache | None = None,
    ) -> None:
        """
        *tools* are what handlers and security functions get by name; *store* keeps idempotent answers, *trail*
        who changed what; *meter* counts what has limits, under names of accounts as *fold* makes them; *kept*
        keeps answers where the contract says so.

        With *ends_at_sunset* an operation whose sunset has passed is answered 410.
        """
        self.database = database
        self.exception_handlers = exception_handlers
        self.dependencies = dependencies or {}
        self.body_limits = body_limits or BodyLimits()
        self.resolver = resolver or Resolver()
        self.enforce_sunset = enforce_sunset
        self.rate_limit_storage = rate_limit_storage
        self.casefold = casefold
        self.rate_limit_stats = rate_limit_stats or RateLimitStats()
        self.response_cache = response_cache
        self.policies: list[Policy] = [
            if_match,
            sparse_fieldsets,
            content_negotiation,
            if_none_match,
            byte_ranges,
            Idempotency(idempotency_store),
            Audit(audit_log),
        ]
        self.router = Router()
        self.documents: list[Document] = []
        self.operations: list[Operation] = []
        self.published: dict[str, Response] = {}
        """The documents as they are served, by path."""

    def add_document(self, document: Document, published_at: str) -> None:
        """Compile *document*, and publish it at this path with `.json` and `.yaml` behind it.

        Raises ContractError that names every fault by file, place and remedy.
        """
        _raise_errors(list(validation.structure_errors(document)))
        schemas = JsonSchemas(document)
        schemes = security.load_schemes(document, self.dependencies)
        _raise_errors(list(validation.semantic_errors(document, schemas)))
        shared = DocumentContext(
            MarshmallowSchemas(schemas),
            schemes,
            self.dependencies,
            self.body_limits,
            RateLimitPolicies(document, self.rate_limit_storage, self.rate_limit_stats, self.casefold),
            CacheProfiles(document, self.response_cache.tags if self.response_cache else None),
        )
        added: dict[str, Operation] = {}
        faults: list[Exception] = []
        for template, method, spec in document.operations():
            try:
                path = self.router.add(template)
                operation = Operation(spec, method, path, function_of(spec, self.resolver), shared)
                added[operation.id] = operation
                path.add(method, operation)
            except ContractError as error:
                faults.append(error)
        _raise_errors(faults)
        dumps = Serializers(
            shared.marshmallow_schemas, links.link_templates(added, shared.marshmallow_schemas), links.helpers()
        )
        for operation in added.values():
            try:
                operation.compile(dumps, self.policies)
            except ContractError as error:
                faults.append(error)
        _raise_errors(faults)
        self.documents.append(document)
        self.operations += added.values()
        self._publish(document, published_at)

    def validate(self) -> None:
        """
        Raise ContractError for what only all contracts together can show.

        That is a public function in a module of handlers that none of them names, and a
        successor that none of them has.
        """
        named = {(operation.function.__module__, operation.function.__name__) for operation in self.operations}
        faults = [
            ContractError(f"{module}.{name} is public, but no contract names it; declare the operation, or drop it.")
            for module, name in sorted(public_functions({module for module, _ in named}) - named)
        ]
        for operation in self.operations:
            successor = operation.deprecation.successor
            if successor and successor not in self.router.paths:
                faults.append(
                    error_at(operation.spec, f"the successor of {operation.id}, {successor}, is in no contract.")
                )
        _raise_errors(list(faults))

    def path_item(self, template: str) -> PathItem | None:
        """Return the path of this template, with its operations."""
        return self.router.paths.get(template)

    def _publish(self, document: Document, at_path: str) -> None:
        for suffix, kind in (("json", b"application/json"), ("yaml", b"application/yaml")):
            body = document.render(as_yaml=suffix == "yaml")
            headers = [(b"content-type", kind), (b"etag", etag(body)), (b"vary", b"Accept-Encoding"), *PUBLIC_NO_CACHE]
            self.published[f"{at_path}.{suffix}"] = Response(200, body, headers)


def _raise_errors(faults: list[Exception]) -> None:
    if faults:
        raise ContractError("\n".join(dict.fromkeys(str(fault) for fault in faults)))
