"""An operation of the contract, compiled: parses requests, calls the handler, and renders the response."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
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
_VALIDATORS = frozenset({"etag", "last-modified"})
_POLICY_HEADERS = frozenset({"if-match"})
"""Headers whose absence is an error of a policy, not of the parser: a 428 for `If-Match`."""


@dataclass(frozen=True)
class DocumentContext:
    """The parts that the operations of one document share. `dependencies` are injected into handlers by name."""

    marshmallow_schemas: MarshmallowSchemas
    security_schemes: Mapping[str, SecurityScheme]
    dependencies: Mapping[str, Any]
    body_limits: BodyLimits
    rate_limits: RateLimitPolicies
    cache_profiles: CacheProfiles
    _parameters: dict[int, tuple[Any, Parameter]] = field(default_factory=dict)
    """Parameters by the id of their Parameter Object, which is stored so that its id stays unique."""

    def parameter(self, spec: dict[str, Any]) -> Parameter:
        """Return the parameter *spec*. Operations that refer to the same one share it. Raises ContractError."""
        if id(spec) not in self._parameters:
            self._parameters[id(spec)] = spec, Parameter(spec, self.marshmallow_schemas)
        return self._parameters[id(spec)][1]


class Operation:
    """
    An Operation Object of the contract with its handler.

    `compile` completes the operation when all others are known, because links and policies refer to them. Both raise
    ContractError if contract and handler do not match.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        method: str,
        path_item: PathItem,
        function: Callable[..., Any],
        document_context: DocumentContext,
    ) -> None:
        self.id: str = spec["operationId"]
        self.spec = spec
        self.method = method
        self.path_item = path_item
        self.function = function
        self.marshmallow_schemas = document_context.marshmallow_schemas
        self.schemas = document_context.marshmallow_schemas.schemas
        self.document = self.schemas.document
        schemas, document = self.schemas, self.document
        self.is_safe = method in ("get", "head")
        parameters = [document_context.parameter(parameter) for parameter in spec["parameters"]]
        check_path_parameters(spec, path_item, parameters)
        self.parameters = ParameterParser(parameters, path_item.names, _POLICY_HEADERS)
        self.requires_if_match = any(parameter.required for parameter in parameters if parameter.is_header("if-match"))
        self.takes_preconditions = False
        """Whether the preconditions of requests are evaluated: whether there is a `validating_get`."""
        requirements = spec.get("security", document.raw.get("security", []))
        self.security = SecurityRequirements(requirements, document_context.security_schemes) if requirements else None
        self.rate_limit = document_context.rate_limits.for_operation(spec)
        declared = {status: document.resolve(response) for status, response in spec["responses"].items()}
        page = self._page_location(declared.get("303", {}))
        depends_on = list(self.security.headers) if self.security and "x-cache-profile" in spec else []
        depends_on += ["Accept"] if page else []
        self.responses = {int(status): response for status, response in declared.items() if status.isdigit()}
        """The declared Response Objects by status. Only the one of the success is compiled."""
        self._ranges = declared.keys() - {str(status) for status in self.responses}
        status = only_success(spec, self.responses)
        self.success = ResponseDefinition(self.id, status, self.responses[status], schemas, depends_on)
        body = document.resolve(spec["requestBody"]) if "requestBody" in spec else None
        self.body = (
            BodyParser(body, self.success.schema, document_context.marshmallow_schemas, document_context.body_limits)
            if body
            else None
        )
        is_negotiated = self.success.contents and not self.success.is_file
        self.renderers = Renderers(self.success, document_context.marshmallow_schemas, page) if is_negotiated else None
        self.cache_control = self._cache_control(document_context.cache_profiles)
        self.deprecation = Deprecation(spec, path_item.names)
        self.is_deprecated: bool = spec.get("deprecated", False)
        check_arguments(
            spec, function, self.parameters, has_body=self.body is not None, dependencies=document_context.dependencies
        )
        names = frozenset(signature(function).parameters)
        self._takes_session, self._takes_body, self._takes_caller = (
            name in names for name in ("session", "body", "caller")
        )
        self.needs_session = self._takes_session
        self._unused_arguments = self.parameters.by_argument.keys() - names
        key_parameters = [parameter for parameter in parameters if parameter.location != "header"]
        self._exact_arguments = [parameter.argument for parameter in key_parameters if parameter.is_exact]
        self._other_arguments = [parameter.argument for parameter in key_parameters if not parameter.is_exact]
        dependencies = (names & document_context.dependencies.keys()) - self._declared_arguments()
        self._dependencies = {name: document_context.dependencies[name] for name in dependencies}
        self.handle: Handle = self.respond

    def compile(self, serializers: Serializers, policies: Iterable[Policy]) -> None:
        """Compile the response, and wrap `handle` in the *policies* that the contract of the operation declares.

        Raises ContractError.
        """
        self.success.compile(serializers)
        self.takes_preconditions = self.validating_get() is not None
        for policy in policies:
            wrapped = policy(self, self.handle)
            if wrapped:
                self.handle = wrapped
                self.needs_session = True
        check_statuses(self.spec, self.possible_statuses(), self.declares_status)
        if not self.success.certain_headers.issuperset(self.success.required_headers):
            self.handle = self._check_required_headers(self.handle)

    async def parse_request(self, request: Request) -> None:
        """Authenticate, parse and count the request. Raises Problem with all errors of the request, or with a 429."""
        limit = self.rate_limit
        reads_body_first = limit is not None and limit.reads_body
        try:
            if self.security:
                request.caller = await self.security.authenticate(request)
            if reads_body_first:
                await self._parse(request)
        except Problem:
            if limit:
                await limit.check(request)
            raise
        if limit:
            await limit.check(request)
        if self.body is None:
            # Without a body there is nothing to wait for, so this needs no coroutine.
            _raise_errors(self._parse_parameters(request), is_malformed=True)
        elif not reads_body_first:
            await self._parse(request)

    def call_handler(self, request: Request, session: Any) -> Any:
        """Return the result of the handler, which gets the arguments that it names."""
        arguments = {**request.arguments, **self._dependencies}
        for name in self._unused_arguments:
            arguments.pop(name, None)
        if self._takes_session:
            arguments["session"] = session
        if self._takes_body:
            arguments["body"] = request.body
        if self._takes_caller:
            arguments["caller"] = request.caller
        return self.function(**arguments)

    def respond(self, request: Request, session: Any) -> Response:
        """Call the handler, and return its result as a validated response. Policies and a unit of work wrap this."""
        scopes = request.caller.scopes if request.caller else None
        return self.success.render(self.call_handler(request, session), scopes, request.context.root_path)

    def validating_get(self) -> "Operation | None":
        """
        Return the GET whose response has the validators of the target of this operation, or None if there are none.

        It is the GET of the path. A path without a GET, such as `/tasks/{task_id}/status`, is a part of the resource
        at its parent path.
        """
        get: Operation | None = self.path_item.operations.get("GET")
        if get is None and self.path_item.parent:
            get = self.path_item.parent.operations.get("GET")
        return get if get and not _VALIDATORS.isdisjoint(get.success.headers) else None

    def request_for(self, request: Request) -> Request:
        """Return *request*, which is for another operation of the path, as a request for this one without a query."""
        own = copy(request)
        own.arguments = self.parameters.defaults() | {
            argument: request.arguments[argument] for argument in self.parameters.path_arguments
        }
        return own

    def cache_key(self, request: Request) -> Hashable:
        """
        Return the key of the response to a safe request in a cache; None if the response depends on the caller.

        The scopes and the root path are part of the key, because links depend on them. Arguments whose equal values can
        differ are compared by their `repr`: the decimals 1.0 and 1.00 are equal, but their responses differ.
        """
        caller = request.caller
        if caller and self._takes_caller:
            return None
        values = request.arguments.get
        exact = tuple([values(name) for name in self._exact_arguments])
        others = repr([values(name) for name in self._other_arguments]) if self._other_arguments else ""
        content_type = request.media_type.content_type if request.media_type else None
        scopes = caller.scopes if caller else None
        return self, request.context.root_path, content_type, scopes, exact, others

    def declares_status(self, status: int) -> bool:
        """Return whether the contract declares *status*: by number, by range, or, for an error, by `default`."""
        is_named = status in self.responses or f"{status // 100}XX" in self._ranges
        return is_named or (status >= 400 and "default" in self._ranges)

    def links(self, status: int) -> Iterator[tuple[str, Any]]:
        """Yield name and Link Object of each link of the response with *status*."""
        for name, link in self.responses[status].get("links", {}).items():
            yield name, self.document.resolve(link)

    def has_header(self, name: str) -> bool:
        """Return whether the operation declares the header *name*, in lower case, as a parameter."""
        return any(parameter.is_header(name) for parameter in self.parameters.every)

    def request_headers(self) -> set[str]:
        """Return the names of the headers of requests: parameters, credentials, and the content type of the body."""
        declared = {parameter.name for parameter in self.parameters.every if parameter.location == "header"}
        credentials = set(self.security.headers) if self.security else set()
        return declared | credentials | ({"Content-Type"} if self.body else set())

    def allows(self, scopes: frozenset[str] | None) -> bool:
        """Return whether a caller with *scopes* may call the operation. None is a request without credentials."""
        return self.security is None or self.security.allows(scopes)

    async def _parse(self, request: Request) -> None:
        errors = self._parse_parameters(request)
        is_malformed = bool(errors)
        if self.body:
            request.body = await self.body.parse(request, errors)
        _raise_errors(errors, is_malformed=is_malformed)

    def _parse_parameters(self, request: Request) -> list[ErrorDetail]:
        """Set the media type of the response and the arguments of the handler, and return the errors in them."""
        errors: list[ErrorDetail] = []
        if self.renderers:
            request.media_type = self.renderers.select(request.headers.get(b"accept"))
        request.arguments = self.parameters.parse(request, errors)
        return errors

    def _check_required_headers(self, handle: Handle) -> Handle:
        def handle_and_check(request: Request, session: Any) -> Response:
            response = handle(request, session)
            if response.status == self.success.status:
                self.success.check_headers(response)
            return response

        return handle_and_check

    def _cache_control(self, profiles: CacheProfiles) -> CacheControl:
        has_profile = "x-cache-profile" in self.spec
        if has_profile and not (self.is_safe and "etag" in self.success.headers and self.has_header("if-none-match")):
            raise error_at(
                self.spec,
                f"{self.id} has x-cache-profile; it must be a GET with an ETag and an If-None-Match parameter.",
            )
        return profiles.for_operation(self.spec, takes_credentials=self.security is not None)

    def _page_location(self, see_other: dict[str, Any]) -> str | None:
        """Return the page to which a 303 sends browsers, without the root path: the `default` of its `Location`."""
        header = self.document.resolve(see_other.get("headers", {}).get("Location", {}))
        location: str | None = self.document.resolve(header.get("schema", {})).get("default")
        if see_other and not location:
            message = f"{self.id} declares a 303; give its `Location` a schema with the path of the page as `default`."
            raise error_at(self.spec, message)
        return location

    def _declared_arguments(self) -> set[str]:
        return set(self.parameters.by_argument) | ({"body"} if self.body else set())

    def possible_statuses(self) -> Iterator[int]:
        """Yield every status that the declared features of the operation can give."""
        possible = {400: True, 500: True}
        possible |= {401: self.security is not None, 403: self.security is not None and not self.security.is_optional}
        possible |= dict.fromkeys((408, 413, 415, 422), self.body is not None)
        possible |= {406: self.renderers is not None}
        possible |= dict.fromkeys((PARTIAL, 416), self.has_header("range"))
        possible |= {410: self.deprecation.sunset is not None}
        possible |= {412: self.takes_preconditions, 428: self.requires_if_match}
        possible |= {429: self.rate_limit is not None}
        possible |= {404: self.success.is_file, 409: self.has_header("idempotency-key")}
        possible |= {304: self.is_safe and self.takes_preconditions}
        possible |= {503: self.needs_session or self.security is not None}
        yield from (status for status, is_possible in possible.items() if is_possible)


def _raise_errors(errors: list[ErrorDetail], *, is_malformed: bool) -> None:
    if errors:
        status = 400 if is_malformed else 422
        raise Problem(status, "The request does not match the contract; see errors.", errors[:_MAX_ERRORS])
