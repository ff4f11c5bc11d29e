"""One operation of the contract, compiled."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.operation_validation import (
    PARTIAL,
    check_arguments,
    check_path_parameters,
    check_statuses,
    only_success,
)
from accord.engine.parsers.body import BodyParser
from accord.engine.parsers.parameters import Parameter, ParameterParser
from accord.engine.policies import Handle
from accord.engine.policies.cache_control import CacheControl, CacheProfiles
from accord.engine.policies.deprecation import Deprecation
from accord.engine.policies.rate_limits import RateLimitPolicies
from accord.engine.problems import ErrorDetail, Problem
from accord.engine.renderers.media_types import Renderers
from accord.engine.renderers.response import Response, ResponseDefinition
from accord.engine.renderers.serializer import Serializers
from accord.engine.request import BodyLimits, Request
from accord.engine.routing import PathItem
from accord.engine.security import SecurityRequirements, SecurityScheme

Policy = Callable[["Operation", Handle], Handle | None]

_MAX_ERRORS = 100
_POLICY_HEADERS = frozenset({"if-match"})


@dataclass(frozen=True)
class DocumentContext:
    """What the operations of one document share; `tools` are what functions get by name beside what requests bring."""

    marshmallow_schemas: MarshmallowSchemas
    security_schemes: Mapping[str, SecurityScheme]
    dependencies: Mapping[str, Any]
    body_limits: BodyLimits
    rate_limits: RateLimitPolicies
    cache_profiles: CacheProfiles


class Operation:
    """
    Everything that the contract says of one operation, and the function that gives it its meaning.

    `compile` follows when all operations are known, because links and policies look at the others.
    Raises ContractError wherever contract and function do not fit.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        method: str,
        path_item: PathItem,
        function: Callable[..., Any],
        context: "DocumentContext",
    ) -> None:
        self.id: str = spec["operationId"]
        self.spec = spec
        self.method = method
        self.path_item = path_item
        self.function = function
        self.marshmallow_schemas = context.marshmallow_schemas
        self.schemas = context.marshmallow_schemas.schemas
        self.document = self.schemas.document
        schemas, document = self.schemas, self.document
        self.is_safe = method in ("get", "head")
        every = [Parameter(parameter, context.marshmallow_schemas) for parameter in spec["parameters"]]
        check_path_parameters(spec, path_item, every)
        self.parameters = ParameterParser(every, path_item.names, _POLICY_HEADERS)
        guards = [parameter for parameter in every if parameter.is_header("if-match")]
        self.accepts_if_match = bool(guards)
        self.requires_if_match = any(guard.required for guard in guards)
        requirements = spec.get("security", document.raw.get("security", []))
        self.security = SecurityRequirements(requirements, context.security_schemes) if requirements else None
        self.rate_limit = context.rate_limits.for_operation(spec)
        body = document.resolve(spec["requestBody"]) if "requestBody" in spec else None
        self.body = BodyParser(body, context.marshmallow_schemas, context.body_limits) if body else None
        declared = {status: document.resolve(response) for status, response in spec["responses"].items()}
        credentials = self.security.headers if self.security and "x-cache-profile" in spec else []
        self.responses = {
            int(status): ResponseDefinition(self.id, int(status), response, schemas, credentials)
            for status, response in declared.items()
            if status.isdigit()
        }
        self._ranges = declared.keys() - {str(status) for status in self.responses}
        self.success = only_success(spec, self.responses)
        is_chosen = self.success.contents and not self.success.is_content
        self.renderers = Renderers(self.success, context.marshmallow_schemas) if is_chosen else None
        self.cache_control = self._cache_control(context.cache_profiles)
        self.deprecation = Deprecation(spec, path_item.names)
        self.is_deprecated: bool = spec.get("deprecated", False)
        check_arguments(spec, function, self.parameters, has_body=self.body is not None, tools=context.dependencies)
        wanted = signature(function).parameters
        self.needs_session = "session" in wanted
        self._argument_names = frozenset(wanted)
        self._asked = [parameter.argument for parameter in every if parameter.place != "header"]
        tools = (self._argument_names & context.dependencies.keys()) - self._declared_arguments()
        self._dependencies = {name: context.dependencies[name] for name in tools}
        self.handle: Handle = self.respond

    def compile(self, serializers: Serializers, policies: Iterable[Policy]) -> None:
        for response in self.responses.values():
            response.compile(serializers)
        for policy in policies:
            wrapped = policy(self, self.handle)
            if wrapped:
                self.handle = wrapped
                self.needs_session = True
        check_statuses(self.spec, self._possible_statuses(), self.declares_status)
        if self.success.required_headers:
            self.handle = self._check_required_headers(self.handle)

    async def parse_request(self, request: Request) -> None:
        """Take in the request; raises a Problem that says all that is wrong with it, or that it is one too many."""
        limit = self.rate_limit
        if limit is None:
            await self._authenticate(request)
            await self._parse(request)
            return
        try:
            await self._authenticate(request)
            if limit.reads_body:
                await self._parse(request)
        except Problem:
            await limit.check(request)
            raise
        await limit.check(request)
        if not limit.reads_body:
            await self._parse(request)

    def call_handler(self, request: Request, session: Any) -> Any:
        """Give the function what it names, and return what it returns."""
        wanted = self._argument_names
        arguments = {name: value for name, value in request.arguments.items() if name in wanted}
        if self._dependencies:
            arguments.update(self._dependencies)
        if "session" in wanted:
            arguments["session"] = session
        if "body" in wanted:
            arguments["body"] = request.body
        if "caller" in wanted:
            arguments["caller"] = request.caller
        return self.function(**arguments)

    def respond(self, request: Request, session: Any) -> Response:
        """The innermost: function, representation, check. Policies wrap it; a unit of work surrounds it."""
        caller = request.caller
        return self.success.render(self.call_handler(request, session), caller.scopes if caller else None)

    def cache_key(self, request: Request) -> Hashable:
        """
        Return what the answer to a safe request depends on; None where that is the caller.

        Links depend on scopes. Arguments are compared as they read, because 1.0 and 1.00 are equal.
        """
        caller = request.caller
        if caller and "caller" in self._argument_names:
            return None
        arguments = repr([request.arguments.get(name) for name in self._asked])
        return self, request.media_type and request.media_type.content_type, caller and caller.scopes, arguments

    def declares_status(self, status: int) -> bool:
        """Return whether the contract has *status*: by its number, by its range, or an error by `default`."""
        named = status in self.responses or f"{status // 100}XX" in self._ranges
        return named or (status >= 400 and "default" in self._ranges)

    def links(self, status: int) -> Iterator[tuple[str, Any]]:
        """Yield name and Link Object of each link of the response of *status*."""
        response = self.document.resolve(self.spec["responses"][str(status)])
        for name, link in response.get("links", {}).items():
            yield name, self.document.resolve(link)

    def has_header(self, name: str) -> bool:
        return any(parameter.is_header(name) for parameter in self.parameters.every)

    def request_headers(self) -> set[str]:
        """Return the header fields that a request may bring: its parameters, credentials, and the type of its body."""
        declared = {parameter.name for parameter in self.parameters.every if parameter.place == "header"}
        return (
            declared | set(self.security.headers if self.security else ()) | ({"Content-Type"} if self.body else set())
        )

    def allows(self, scopes: frozenset[str] | None) -> bool:
        """Return whether a caller with these scopes, or nobody, may call it."""
        return self.security is None or self.security.allows(scopes)

    async def _authenticate(self, request: Request) -> None:
        if self.security:
            request.caller = await self.security.authenticate(request)

    async def _parse(self, request: Request) -> None:
        if self.renderers:
            request.media_type = self.renderers.select(request.headers.get(b"accept"))
        faults: list[ErrorDetail] = []
        request.arguments = self.parameters.parse(request, faults)
        malformed = len(faults)
        if self.body:
            request.body = await self.body.parse(request, faults)
        if faults:
            status = 400 if malformed else 422
            raise Problem(status, "The request is not as the contract says; see errors.", faults[:_MAX_ERRORS])

    def _check_required_headers(self, perform: Handle) -> Handle:
        def perform_and_check(request: Request, session: Any) -> Response:
            answer = perform(request, session)
            if answer.status == self.success.status:
                self.success.check_headers(answer)
            return answer

        return perform_and_check

    def _cache_control(self, caches: CacheProfiles) -> CacheControl:
        is_marked = "x-cache-profile" in self.spec
        if is_marked and not (self.is_safe and "etag" in self.success.headers and self.has_header("if-none-match")):
            raise error_at(
                self.spec,
                f"{self.id} has x-cache-profile; it must be a GET with an ETag and an If-None-Match parameter.",
            )
        return caches.for_operation(self.spec, takes_credentials=self.security is not None)

    def _declared_arguments(self) -> set[str]:
        return set(self.parameters.by_argument) | ({"body"} if self.body else set())

    def _possible_statuses(self) -> Iterator[int]:
        """Yield every status that the declared features can end in."""
        possible = {400: True, 500: True}
        possible |= {401: self.security is not None, 403: self.security is not None and not self.security.is_optional}
        possible |= dict.fromkeys((408, 413, 415, 422), self.body is not None)
        possible |= {406: self.renderers is not None}
        possible |= dict.fromkeys((PARTIAL, 416), self.has_header("range"))
        possible |= {410: self.deprecation.sunset is not None, 412: self.accepts_if_match, 428: self.requires_if_match}
        possible |= {429: self.rate_limit is not None}
        possible |= {304: self.has_header("if-none-match") or self.has_header("if-modified-since")}
        possible |= {503: self.needs_session}
        yield from (status for status, is_possible in possible.items() if is_possible)
