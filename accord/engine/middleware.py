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
from accord.contract.errors import ContractError, at
from accord.contract.json_schemas import Schemas
from accord.engine import security
from accord.engine.marshmallow_schemas import Representations
from accord.engine.operation import Operation, Policy, Shared
from accord.engine.policies import Perform
from accord.engine.policies.audit import Audited, Trail
from accord.engine.policies.cache_control import NEVER, REVALIDATED, Caches
from accord.engine.policies.conditional_requests import etag, revalidated, tagged, unless_known
from accord.engine.policies.content_negotiation import negotiated
from accord.engine.policies.idempotency import Idempotent, Store
from accord.engine.policies.range_requests import ranges
from accord.engine.policies.rate_limits import Meter, RateLimits, Tally
from accord.engine.policies.response_cache import KeptAnswers
from accord.engine.policies.sparse_fieldsets import sparse_fields
from accord.engine.problems import VARY, BrokenPromise, Errors, Problem, media_type
from accord.engine.renderers import links
from accord.engine.renderers.response import Answer
from accord.engine.renderers.serializer import Dumps
from accord.engine.request import ClientGone, Limits, Receive, Request, Scope, Send
from accord.engine.routing import Path, Router

log = logging.getLogger(__name__)


class Seam(Protocol):
    """Where operations meet the database: a unit of work, which returning commits and raising rolls back.

    The mode is `read`, `write`, or `guarded`: a write that sees one state of the database from
    its beginning to its end, and fails or is repeated when another was faster.
    """

    async def run(self, mode: str, perform: Perform, request: Request) -> Answer: ...


class Contract(SpecMiddleware):
    """Serves every operation of the contracts it was given; passes on what is not in them."""

    def __init__(
        self, *, seam: Seam, errors: Errors, tools: Mapping[str, Any] | None = None, store: Store | None = None,
        trail: Trail | None = None, limits: Limits | None = None, resolver: Resolver | None = None,
        ends_at_sunset: bool = False, meter: Meter | None = None, tally: Tally | None = None,
        fold: Callable[[str], str] = str.casefold, kept: KeptAnswers | None = None,
    ) -> None:  # fmt: skip
        """
        *tools* are what handlers and security functions get by name; *store* keeps idempotent answers, *trail*
        who changed what; *meter* counts what has limits, under names of accounts as *fold* makes them; *kept*
        keeps answers where the contract says so.

        With *ends_at_sunset* an operation whose sunset has passed is answered 410.
        """
        self.seam = seam
        self.errors = errors
        self.tools = tools or {}
        self.limits = limits or Limits()
        self.resolver = resolver or Resolver()
        self.ends_at_sunset = ends_at_sunset
        self.meter, self.fold, self.tally = meter, fold, tally or Tally()
        self.kept = kept
        self.policies: list[Policy] = [
            tagged, sparse_fields, negotiated, revalidated, ranges, Idempotent(store), Audited(trail),
        ]  # fmt: skip
        self.router = Router()
        self.documents: list[Document] = []
        self.operations: list[Operation] = []
        self.next_app: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self._published: dict[str, Answer] = {}

    def before(self, next_app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> "Contract":
        """Stand before *next_app*, which serves what no contract has; Connexion builds its stack so."""
        self.next_app = next_app
        return self

    def add(self, document: Document, published_at: str) -> None:
        """Compile *document*, and publish it at this path with `.json` and `.yaml` behind it.

        Raises ContractError that names every fault by file, place and remedy.
        """
        _refuse(list(validation.form_faults(document)))
        schemas = Schemas(document)
        schemes = security.schemes(document, self.tools)
        _refuse(list(validation.faults(document, schemas)))
        shared = Shared(
            Representations(schemas), schemes, self.tools, self.limits,
            RateLimits(document, self.meter, self.tally, self.fold),
            Caches(document, self.kept.nouns if self.kept else None),
        )  # fmt: skip
        added: dict[str, Operation] = {}
        faults: list[Exception] = []
        for template, method, spec in document.operations():
            try:
                path = self.router.add(template)
                operation = Operation(spec, method, path, self._function(spec), shared)
                added[operation.id] = operation
                path.add(method, operation)
            except ContractError as error:
                faults.append(error)
        _refuse(faults)
        dumps = Dumps(shared.representations, links.sources(added, shared.representations), links.names())
        for operation in added.values():
            try:
                operation.compile(dumps, self.policies)
            except ContractError as error:
                faults.append(error)
        _refuse(faults)
        self.documents.append(document)
        self.operations += added.values()
        self._publish(document, published_at)

    def check(self) -> None:
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
                faults.append(at(operation.spec, f"the successor of {operation.id}, {successor}, is in no contract."))
        _refuse(list(faults))

    def path(self, scope: Scope) -> Path | None:
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
                answer = await self._perform(operation, request)
                answer.headers = answer.headers + operation.caching.headers(request.caller)
                file = answer.part and method != "HEAD" and answer.part.open()
            else:
                answer = self._answer_without_operation(path, scope, request)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001  # Whatever it is, the caller gets an answer, and the log the reason.
            answer = self._answer_to(error, operation, request)
        answer.headers = answer.headers + request.allowance
        if operation and operation.is_deprecated:
            answer.headers = answer.headers + operation.deprecation.headers(values)
        if file and answer.part:
            with file:
                await send(_beginning(answer))
                async for chunk in answer.part.chunks(file):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        else:
            await send(_beginning(answer))
            await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})

    async def _perform(self, operation: Operation, request: Request) -> Answer:
        if self.ends_at_sunset and operation.deprecation.is_over():
            raise Problem(410, "This operation is past its sunset; the successor is in `Link`.")
        try:
            await operation.read(request)
            if self.kept and operation.caching.is_kept:
                return await self.kept.answer(operation, request, self.seam)
            if operation.needs_session:
                return await self.seam.run(_mode(operation, request), operation.perform, request)
            return operation.perform(request, None)
        finally:
            request.close()

    def _function(self, spec: dict[str, Any]) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = self.resolver.resolve(_Named(spec)).function
        except ResolverError as error:
            name, module = spec["operationId"], spec.get("x-openapi-router-controller", "x-openapi-router-controller")
            message = f"the contract promises {name}, but {module} has no such function ({error})."
            raise at(spec, f"{message} Write it, or drop the operation.") from None
        return function

    def _publish(self, document: Document, at_path: str) -> None:
        for suffix, kind in (("json", b"application/json"), ("yaml", b"application/yaml")):
            body = document.dumped(as_yaml=suffix == "yaml")
            headers = [(b"content-type", kind), (b"etag", etag(body)), (b"vary", b"Accept-Encoding"), *REVALIDATED]
            self._published[f"{at_path}.{suffix}"] = Answer(200, body, headers)

    def _answer_without_operation(self, path: Path | None, scope: Scope, request: Request) -> Answer:
        method, published = scope["method"], self._published.get(scope["path"])
        if not path and not published:
            raise Problem(404, "There is nothing at this path.")
        allow = path.allow if path else "GET, HEAD, OPTIONS"
        if published and method in ("GET", "HEAD"):
            return unless_known(request, published)
        if method == "OPTIONS":
            return Answer(204, b"", [(b"allow", allow.encode()), *NEVER])
        raise Problem(405, f"{method} is no operation of this path.", headers={"Allow": allow})

    def _answer_to(self, error: Exception, operation: Operation | None, request: Request) -> Answer:
        at_path, identity = request.scope["path"], request.exchange.identity
        name = operation.id if operation else at_path
        problem = self.errors.problem(error)
        if problem is None:
            said = str(error) if isinstance(error, BrokenPromise) else "an error nobody expected"
            log.error("%s failed: %s", name, said, exc_info=error)
        elif operation and not operation.declares(problem.status):
            log.error("%s failed: %s is not declared.", name, problem.status, exc_info=error)
            problem = None
        if problem is None:
            problem = Problem(500, "The service failed, and nothing was changed. The log has it under the request id.")
        request.exchange.problem = problem
        kind = media_type(request.headers.get(b"accept"))
        headers = [(b"content-type", kind), VARY, *NEVER]
        headers += [
            (key.lower().encode(), value.encode("latin-1", "replace")) for key, value in problem.headers.items()
        ]
        return Answer(problem.status, problem.body(at_path, identity, kind), headers)


class _Named:
    """As much of a Connexion operation as its resolvers look at."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.operation_id = spec["operationId"]
        self.router_controller = spec.get("x-openapi-router-controller")


def _beginning(answer: Answer) -> dict[str, Any]:
    headers = answer.headers
    if answer.status not in (204, 304):
        length = answer.part.end - answer.part.start if answer.part else len(answer.body)
        headers = [*headers, (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _mode(operation: Operation, request: Request) -> str:
    if operation.is_safe:
        return "read"
    return "guarded" if operation.is_guarded and b"if-match" in request.headers else "write"


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


def _refuse(faults: list[Exception]) -> None:
    if faults:
        raise ContractError("\n".join(dict.fromkeys(str(fault) for fault in faults)))
