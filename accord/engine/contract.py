"""The compiled contract: the documents of a service, their operations, and the router that finds them."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from typing import Any

from connexion.resolver import Resolver

from accord.contract import schema_validation, validation
from accord.contract.document import Document, with_root_path
from accord.contract.errors import ContractError, error_at
from accord.contract.json_schemas import CompiledSchemas, JsonSchemas
from accord.contract.unused_files import unused_files
from accord.engine import security
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.operation import DocumentContext, Operation, Policy
from accord.engine.policies import Database
from accord.engine.policies.audit import Audit, TrackChanges
from accord.engine.policies.cache_control import PUBLIC_NO_CACHE, CacheProfiles
from accord.engine.policies.conditional_requests import ChangePreconditions, conditional_get, entity_tag, etag
from accord.engine.policies.content_negotiation import content_negotiation
from accord.engine.policies.idempotency import Idempotency, IdempotencyStore
from accord.engine.policies.range_requests import byte_ranges
from accord.engine.policies.rate_limits import RateLimitPolicies, RateLimitStats, RateLimitStorage
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.policies.sparse_fieldsets import sparse_fieldsets
from accord.engine.problems import ExceptionHandlers
from accord.engine.raised_errors import RaisedErrors, undeclared_statuses
from accord.engine.renderers import links
from accord.engine.renderers.response import Response
from accord.engine.renderers.serializer import Serializers
from accord.engine.request import BodyLimits
from accord.engine.resolution import function_of, missing_modules, public_functions
from accord.engine.routing import PathItem, Router

PublishedDocument = Callable[[str], Response]
"""Returns the response with a document, as it is published below a root path."""


class Contract:
    """The documents of a service with their compiled operations. `ContractMiddleware` serves them."""

    def __init__(
        self,
        *,
        database: Database,
        exception_handlers: ExceptionHandlers,
        dependencies: Mapping[str, Any] | None = None,
        idempotency_store: IdempotencyStore | None = None,
        track_changes: TrackChanges | None = None,
        body_limits: BodyLimits | None = None,
        resolver: Resolver | None = None,
        enforce_sunset: bool = False,
        rate_limit_storage: RateLimitStorage | None = None,
        rate_limit_stats: RateLimitStats | None = None,
        casefold: Callable[[str], str] = str.casefold,
        response_cache: ResponseCache | None = None,
    ) -> None:
        """
        Store the parts that operations need.

        *dependencies* are injected into handlers and security functions by name. *idempotency_store* stores responses
        for retries, *track_changes* starts to record changes in the audit log, and *rate_limit_storage* counts
        requests, with names of accounts normalized by *casefold*. *response_cache* stores responses of operations with
        `server-cache`.

        With *enforce_sunset* an operation past its sunset gives a 410.
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
            entity_tag,
            ChangePreconditions(exception_handlers),
            sparse_fieldsets,
            content_negotiation,
            conditional_get,
            byte_ranges,
            Idempotency(idempotency_store),
            Audit(track_changes),
        ]
        self._compiled_schemas: CompiledSchemas = {}
        self.router = Router()
        self.documents: list[Document] = []
        self.operations: list[Operation] = []
        self.published_documents: dict[str, PublishedDocument] = {}
        """The responses with the documents, by path: functions of the root path."""

    def add_document(self, document: Document, path: str) -> None:
        """Compile *document*, and publish it at *path* followed by `.json` and `.yaml`.

        Raises ContractError with one line for each error: file, line, and what to do.
        """
        if not document.is_valid:
            _raise_errors([*validation.structure_errors(document), *schema_validation.schema_errors(document)])
        schemes = security.load_schemes(document, self.dependencies)
        if not document.is_valid:
            _raise_errors(list(validation.semantic_errors(document)))
        _raise_errors(list(missing_modules(document)))
        schemas = JsonSchemas(document, self._compiled_schemas)
        context = DocumentContext(
            MarshmallowSchemas(schemas),
            schemes,
            self.dependencies,
            self.body_limits,
            RateLimitPolicies(document, self.rate_limit_storage, self.rate_limit_stats, self.casefold),
            CacheProfiles(document, self.response_cache.tags if self.response_cache else None),
        )
        operations: dict[str, Operation] = {}
        errors: list[Exception] = []
        for template, method, spec in document.operations():
            try:
                path_item = self.router.add(template)
                operation = Operation(spec, method, path_item, function_of(spec, self.resolver), context)
                operations[operation.id] = operation
                path_item.add(method, operation)
            except ContractError as error:
                errors.append(error)
        _raise_errors(errors)
        serializers = Serializers(
            context.marshmallow_schemas, links.link_templates(operations, context.marshmallow_schemas), links.helpers()
        )
        for operation in operations.values():
            try:
                operation.compile(serializers, self.policies)
            except ContractError as error:
                errors.append(error)
        _raise_errors(errors)
        if not document.is_valid:
            schemas.compile()
        self.documents.append(document)
        self.operations += operations.values()
        self._publish(document, path)

    def validate(self) -> None:
        """
        Raise ContractError for errors that show only when all documents are added.

        These are files that no document refers to, or else a public function in a module of handlers that is no
        operation, and a successor that is no path.
        """
        _raise_errors([*unused_files(self.documents)])
        handlers = {(operation.function.__module__, operation.function.__name__) for operation in self.operations}
        modules = {module for module, _ in handlers}
        errors = [
            ContractError(f"{module}.{name} is public, but no contract names it; declare the operation, or remove it.")
            for module, name in sorted(public_functions(modules) - handlers)
        ]
        for operation in self.operations:
            successor = operation.deprecation.successor
            if successor and successor not in self.router.path_items:
                message = f"the successor of {operation.id}, {successor}, is in no contract; correct x-successor."
                errors.append(error_at(operation.spec, message))
        _raise_errors(list(errors))

    def validate_statuses(self, raised_errors: RaisedErrors) -> None:
        """Raise ContractError for statuses that handlers can cause by their errors and operations do not declare."""
        _raise_errors([*undeclared_statuses(self.operations, self.exception_handlers, raised_errors)])

    def path_item(self, template: str) -> PathItem | None:
        """Return the path item of a path template; None if there is none."""
        return self.router.path_items.get(template)

    def _publish(self, document: Document, path: str) -> None:
        for suffix, media_type in (("json", b"application/json"), ("yaml", b"application/yaml")):
            render = cache(partial(document.render, as_yaml=suffix == "yaml"))
            self.published_documents[f"{path}.{suffix}"] = _published_document(render, media_type)


def _published_document(render: Callable[[], bytes], media_type: bytes) -> PublishedDocument:
    def respond(root_path: str) -> Response:
        below = with_root_path(render(), root_path)
        headers = [(b"content-type", media_type), (b"etag", etag(below)), (b"vary", b"Accept-Encoding")]
        return Response(200, below, headers + PUBLIC_NO_CACHE, encodings={})

    return lru_cache(maxsize=4)(respond)


def _raise_errors(errors: list[Exception]) -> None:
    if errors:
        raise ContractError("\n".join(dict.fromkeys(str(error) for error in errors)))
