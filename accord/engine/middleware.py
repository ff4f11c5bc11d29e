"""The one middleware between Connexion and the handlers: route, read, perform, send."""

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from connexion.exceptions import ResolverError
from connexion.middleware.abstract import SpecMiddleware
from connexion.resolver import Resolver

from accord.contract import validation
from accord.contract.document import Document
from accord.contract.errors import ContractError, error_at
from accord.contract.json_schemas import JsonSchemas
from accord.engine import security
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.operation import DocumentContext, Operation, Policy
from accord.engine.policies import Handle
from accord.engine.policies.audit import Audit, AuditLog
from accord.engine.policies.cache_control import NO_STORE, PUBLIC_NO_CACHE, CacheProfiles
from accord.engine.policies.conditional_requests import etag, if_match, if_none_match, not_modified
from accord.engine.policies.content_negotiation import content_negotiation
from accord.engine.policies.idempotency import Idempotency, IdempotencyStore
from accord.engine.policies.range_requests import byte_ranges
from accord.engine.policies.rate_limits import RateLimitPolicies, RateLimitStats, RateLimitStorage
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.policies.sparse_fieldsets import sparse_fieldsets
from accord.engine.problems import VARY, ContractViolation, ExceptionHandlers, Problem, problem_media_type
from accord.engine.renderers import links
from accord.engine.renderers.response import Response
from accord.engine.renderers.serializer import Serializers
from accord.engine.request import BodyLimits, ClientDisconnect, Receive, Request, Scope, Send
from accord.engine.routing import PathItem, Router

log = logging.getLogger(__name__)


class Database(Protocol):
    """Where operations meet the database: a unit of work, which returning commits and raising rolls back.

    The mode is `read`, `write`, or `guarded`: a write that sees one state of the database from
    its beginning to its end, and fails or is repeated when another was faster.
    """

    async def run(self, mode: str, handle: Handle, request: Request) -> Response: ...


class Contract(SpecMiddleware):
    """Serves every operation of the contracts it was given; passes on what is not in them."""

    def __init__(
        self, *, database: Database, exception_handlers: ExceptionHandlers, dependencies: Mapping[str, Any] | None = None, idempotency_store: IdempotencyStore | None = None,
        audit_log: AuditLog | None = None, body_limits: BodyLimits | None = None, resolver: Resolver | None = None,
        enforce_sunset: bool = False, rate_limit_storage: RateLimitStorage | None = None, rate_limit_stats: RateLimitStats | None = None,
        casefold: Callable[[str], str] = str.casefold, response_cache: ResponseCache | None = None,
    ) -> None:  # fmt: skip
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
        self.rate_limit_storage, self.casefold, self.rate_limit_stats = (
            rate_limit_storage,
            casefold,
            rate_limit_stats or RateLimitStats(),
        )
        self.response_cache = response_cache
        self.policies: list[Policy] = [
            if_match, sparse_fieldsets, content_negotiation, if_none_match, byte_ranges, Idempotency(idempotency_store), Audit(audit_log),
        ]  # fmt: skip
        self.router = Router()
        self.documents: list[Document] = []
        self.operations: list[Operation] = []
        self.next_app: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self._published: dict[str, Response] = {}

    def before(self, next_app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> "Contract":
        """Stand before *next_app*, which serves what no contract has; Connexion builds its stack so."""
        self.next_app = next_app
        return self

    def add_document(self, document: Document, published_at: str) -> None:
        """Compile *document*, and publish it at this path with `.json` and `.yaml` behind it.

        Raises ContractError that names every fault by file, place and remedy.
        """
        _raise_errors(list(validation.structure_errors(document)))
        schemas = JsonSchemas(document)
        schemes = security.load_schemes(document, self.dependencies)
        _raise_errors(list(validation.semantic_errors(document, schemas)))
        shared = DocumentContext(
            MarshmallowSchemas(schemas), schemes, self.dependencies, self.body_limits,
            RateLimitPolicies(document, self.rate_limit_storage, self.rate_limit_stats, self.casefold),
            CacheProfiles(document, self.response_cache.tags if self.response_cache else None),
        )  # fmt: skip
        added: dict[str, Operation] = {}
        faults: list[Exception] = []
        for template, method, spec in document.operations():
            try:
                path = self.router.add(template)
                operation = Operation(spec, method, path, self._resolve(spec), shared)
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
            for module, name in sorted(_public_functions({module for module, _ in named}) - named)
        ]
        for operation in self.operations:
            successor = operation.deprecation.successor
            if successor and successor not in self.router.paths:
                faults.append(
                    error_at(operation.spec, f"the successor of {operation.id}, {successor}, is in no contract.")
                )
        _raise_errors(list(faults))

    def path_item(self, scope: Scope) -> PathItem | None:
        """Return the path of the contracts that the request of *scope* is for, with its operations."""
        return self.router.find(scope)[0]

    def add_api(self, specification: Any, **_: Any) -> None:
        """Connexion hands every API over here, at its first request; contracts are compiled long before that."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if self.next_app:
                await self.next_app(scope, receive, send)
            return
        path, values = self.router.find(scope)
        if path is None and scope["path"] not in self._published and self.next_app:
            await self.next_app(scope, receive, send)
            return
        method: str = scope["method"]
        operation = path.operations.get(method) if path else None
        name, template = operation.id if operation else None, path.template if path else None
        request, file = Request(scope, receive, values, name, template), None
        try:
            if operation:
                answer = await self._handle(operation, request)
                answer.headers = answer.headers + operation.cache_control.headers(request.caller)
                file = answer.byte_range and method != "HEAD" and answer.byte_range.open()
            else:
                answer = self._respond_without_operation(path, scope, request)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # Whatever it is, the caller gets an answer, and the log the reason.
            answer = self._respond_to_error(error, operation, request)
        answer.headers = answer.headers + request.rate_limit_headers
        if operation and operation.is_deprecated:
            answer.headers = answer.headers + operation.deprecation.headers(values)
        if file and answer.byte_range:
            with file:
                await send(_response_start(answer))
                async for chunk in answer.byte_range.chunks(file):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        else:
            await send(_response_start(answer))
            await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})

    async def _handle(self, operation: Operation, request: Request) -> Response:
        if self.enforce_sunset and operation.deprecation.is_past_sunset():
            raise Problem(410, "This operation is past its sunset; the successor is in `Link`.")
        try:
            await operation.parse_request(request)
            if self.response_cache and operation.cache_control.uses_server_cache:
                return await self.response_cache.get_or_render(operation, request, self.database)
            if operation.needs_session:
                return await self.database.run(_mode(operation, request), operation.handle, request)
            return operation.handle(request, None)
        finally:
            request.close()

    def _resolve(self, spec: dict[str, Any]) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = self.resolver.resolve(_ResolvableOperation(spec)).function
        except ResolverError as error:
            name, module = spec["operationId"], spec.get("x-openapi-router-controller", "x-openapi-router-controller")
            message = f"the contract promises {name}, but {module} has no such function ({error})."
            raise error_at(spec, f"{message} Write it, or drop the operation.") from None
        return function

    def _publish(self, document: Document, at_path: str) -> None:
        for suffix, kind in (("json", b"application/json"), ("yaml", b"application/yaml")):
            body = document.render(as_yaml=suffix == "yaml")
            headers = [(b"content-type", kind), (b"etag", etag(body)), (b"vary", b"Accept-Encoding"), *PUBLIC_NO_CACHE]
            self._published[f"{at_path}.{suffix}"] = Response(200, body, headers)

    def _respond_without_operation(self, path: PathItem | None, scope: Scope, request: Request) -> Response:
        method, published = scope["method"], self._published.get(scope["path"])
        if not path and not published:
            raise Problem(404, "There is nothing at this path.")
        allow = path.allow if path else "GET, HEAD, OPTIONS"
        if published and method in ("GET", "HEAD"):
            return not_modified(request, published)
        if method == "OPTIONS":
            return Response(204, b"", [(b"allow", allow.encode()), *NO_STORE])
        raise Problem(405, f"{method} is no operation of this path.", headers={"Allow": allow})

    def _respond_to_error(self, error: Exception, operation: Operation | None, request: Request) -> Response:
        at_path, identity = request.scope["path"], request.context.identity
        name = operation.id if operation else at_path
        problem = self.exception_handlers.to_problem(error)
        if problem is None:
            said = str(error) if isinstance(error, ContractViolation) else "an error nobody expected"
            log.error("%s failed: %s", name, said, exc_info=error)
        elif operation and not operation.declares_status(problem.status):
            log.error("%s failed: %s is not declared.", name, problem.status, exc_info=error)
            problem = None
        if problem is None:
            problem = Problem(500, "The service failed, and nothing was changed. The log has it under the request id.")
        request.context.problem = problem
        kind = problem_media_type(request.headers.get(b"accept"))
        headers = [(b"content-type", kind), VARY, *NO_STORE]
        headers += [
            (key.lower().encode(), value.encode("latin-1", "replace")) for key, value in problem.headers.items()
        ]
        return Response(problem.status, problem.body(at_path, identity, kind), headers)


class _ResolvableOperation:
    """As much of a Connexion operation as its resolvers look at."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.operation_id = spec["operationId"]
        self.router_controller = spec.get("x-openapi-router-controller")


def _response_start(answer: Response) -> dict[str, Any]:
    headers = answer.headers
    if answer.status not in (204, 304):
        length = answer.byte_range.end - answer.byte_range.start if answer.byte_range else len(answer.body)
        headers = [*headers, (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _mode(operation: Operation, request: Request) -> str:
    if operation.is_safe:
        return "read"
    return "guarded" if operation.accepts_if_match and b"if-match" in request.headers else "write"


def _public_functions(modules: set[str]) -> set[tuple[str, str]]:
    packages = {module.rpartition(".")[0] for module in modules} - {""}
    siblings = {f"{package}.{info.name}" for package in packages
                for info in pkgutil.iter_modules(importlib.import_module(package).__path__)}  # fmt: skip
    return {
        (module, name)
        for module in modules | siblings
        for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        if function.__module__ == module and not name.startswith("_")
    }


def _raise_errors(faults: list[Exception]) -> None:
    if faults:
        raise ContractError("\n".join(dict.fromkeys(str(fault) for fault in faults)))
