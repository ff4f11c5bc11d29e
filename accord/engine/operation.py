"""One operation of the contract, compiled."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from accord.contract.errors import at
from accord.engine.marshmallow_schemas import Representations
from accord.engine.operation_validation import (
    PARTIAL,
    check_arguments,
    check_path_parameters,
    check_statuses,
    only_success,
)
from accord.engine.parsers.body import Body
from accord.engine.parsers.parameters import Parameter, Parameters
from accord.engine.policies import Perform
from accord.engine.policies.cache_control import Caches, Caching
from accord.engine.policies.deprecation import Deprecation
from accord.engine.policies.rate_limits import RateLimits
from accord.engine.problems import Fault, Problem
from accord.engine.renderers.media_types import MediaTypes
from accord.engine.renderers.response import Answer, Response
from accord.engine.renderers.serializer import Dumps
from accord.engine.request import Limits, Request
from accord.engine.routing import Path
from accord.engine.security import Scheme, Security

Policy = Callable[["Operation", Perform], Perform | None]

_MOST_FAULTS = 100
_POLICY_HEADERS = frozenset({"if-match"})


@dataclass(frozen=True)
class Shared:
    """What the operations of one document share; `tools` are what functions get by name beside what requests bring."""

    representations: Representations
    schemes: Mapping[str, Scheme]
    tools: Mapping[str, Any]
    limits: Limits
    rate_limits: RateLimits
    caches: Caches


class Operation:
    """
    Everything that the contract says of one operation, and the function that gives it its meaning.

    `compile` follows when all operations are known, because links and policies look at the others.
    Raises ContractError wherever contract and function do not fit.
    """

    def __init__(
        self, spec: dict[str, Any], method: str, path: Path, function: Callable[..., Any], shared: "Shared"
    ) -> None:
        self.id: str = spec["operationId"]
        self.spec = spec
        self.method = method
        self.path = path
        self.function = function
        self.representations = shared.representations
        self.schemas = shared.representations.schemas
        self.document = self.schemas.document
        schemas, document = self.schemas, self.document
        self.is_safe = method in ("get", "head")
        every = [Parameter(parameter, shared.representations) for parameter in spec["parameters"]]
        check_path_parameters(spec, path, every)
        self.parameters = Parameters(every, path.names, _POLICY_HEADERS)
        guards = [parameter for parameter in every if parameter.is_header("if-match")]
        self.is_guarded = bool(guards)
        self.must_match = any(guard.required for guard in guards)
        requirements = spec.get("security", document.raw.get("security", []))
        self.security = Security(requirements, shared.schemes) if requirements else None
        self.rate_limit = shared.rate_limits.of(spec)
        body = document.follow(spec["requestBody"]) if "requestBody" in spec else None
        self.body = Body(body, shared.representations, shared.limits) if body else None
        declared = {status: document.follow(response) for status, response in spec["responses"].items()}
        credentials = self.security.headers if self.security and "x-cache" in spec else []
        self.responses = {
            int(status): Response(self.id, int(status), response, schemas, credentials)
            for status, response in declared.items()
            if status.isdigit()
        }
        self._ranges = declared.keys() - {str(status) for status in self.responses}
        self.success = only_success(spec, self.responses)
        is_chosen = self.success.contents and not self.success.is_content
        self.media_types = MediaTypes(self.success, shared.representations) if is_chosen else None
        self.caching = self._caching(shared.caches)
        self.deprecation = Deprecation(spec, path.names)
        self.is_deprecated: bool = spec.get("deprecated", False)
        check_arguments(spec, function, self.parameters, has_body=self.body is not None, tools=shared.tools)
        wanted = signature(function).parameters
        self.needs_session = "session" in wanted
        self._wanted = frozenset(wanted)
        self._asked = [parameter.argument for parameter in every if parameter.place != "header"]
        tools = (self._wanted & shared.tools.keys()) - self._declared_arguments()
        self._given = {name: shared.tools[name] for name in tools}
        self.perform: Perform = self.answer

    def compile(self, dumps: Dumps, policies: Iterable[Policy]) -> None:
        for response in self.responses.values():
            response.compile(dumps)
        for policy in policies:
            wrapped = policy(self, self.perform)
            if wrapped:
                self.perform = wrapped
                self.needs_session = True
        check_statuses(self.spec, self._possible_statuses(), self.declares)
        if self.success.promised:
            self.perform = self._keeping_promises(self.perform)

    async def read(self, request: Request) -> None:
        """Take in the request; raises a Problem that says all that is wrong with it, or that it is one too many."""
        limit = self.rate_limit
        if limit is None:
            await self._know(request)
            await self._take_in(request)
            return
        try:
            await self._know(request)
            if limit.reads_body:
                await self._take_in(request)
        except Problem:
            await limit.take(request)
            raise
        await limit.take(request)
        if not limit.reads_body:
            await self._take_in(request)

    def call(self, request: Request, session: Any) -> Any:
        """Give the function what it names, and return what it returns."""
        wanted = self._wanted
        arguments = {name: value for name, value in request.arguments.items() if name in wanted}
        if self._given:
            arguments.update(self._given)
        if "session" in wanted:
            arguments["session"] = session
        if "body" in wanted:
            arguments["body"] = request.body
        if "caller" in wanted:
            arguments["caller"] = request.caller
        return self.function(**arguments)

    def answer(self, request: Request, session: Any) -> Answer:
        """The innermost: function, representation, check. Policies wrap it; a unit of work surrounds it."""
        caller = request.caller
        return self.success.answer(self.call(request, session), caller.scopes if caller else None)

    def key(self, request: Request) -> Hashable:
        """
        Return what the answer to a safe request depends on; None where that is the caller.

        Links depend on scopes. Arguments are compared as they read, because 1.0 and 1.00 are equal.
        """
        caller = request.caller
        if caller and "caller" in self._wanted:
            return None
        arguments = repr([request.arguments.get(name) for name in self._asked])
        return self, request.media_type and request.media_type.content_type, caller and caller.scopes, arguments

    def declares(self, status: int) -> bool:
        """Return whether the contract has *status*: by its number, by its range, or an error by `default`."""
        named = status in self.responses or f"{status // 100}XX" in self._ranges
        return named or (status >= 400 and "default" in self._ranges)

    def links(self, status: int) -> Iterator[tuple[str, Any]]:
        """Yield name and Link Object of each link of the response of *status*."""
        response = self.document.follow(self.spec["responses"][str(status)])
        for name, link in response.get("links", {}).items():
            yield name, self.document.follow(link)

    def has_header(self, name: str) -> bool:
        return any(parameter.is_header(name) for parameter in self.parameters.every)

    def request_headers(self) -> set[str]:
        """Return the header fields that a request may bring: its parameters, credentials, and the type of its body."""
        declared = {parameter.name for parameter in self.parameters.every if parameter.place == "header"}
        return (
            declared | set(self.security.headers if self.security else ()) | ({"Content-Type"} if self.body else set())
        )

    def reached_by(self, scopes: frozenset[str] | None) -> bool:
        """Return whether a caller with these scopes, or nobody, may call it."""
        return self.security is None or self.security.reached_by(scopes)

    async def _know(self, request: Request) -> None:
        if self.security:
            request.caller = await self.security.caller(request)

    async def _take_in(self, request: Request) -> None:
        if self.media_types:
            request.media_type = self.media_types.chosen(request.headers.get(b"accept"))
        faults: list[Fault] = []
        request.arguments = self.parameters.read(request, faults)
        malformed = len(faults)
        if self.body:
            request.body = await self.body.read(request, faults)
        if faults:
            status = 400 if malformed else 422
            raise Problem(status, "The request is not as the contract says; see errors.", faults[:_MOST_FAULTS])

    def _keeping_promises(self, perform: Perform) -> Perform:
        def perform_and_check(request: Request, session: Any) -> Answer:
            answer = perform(request, session)
            if answer.status == self.success.status:
                self.success.check_headers(answer)
            return answer

        return perform_and_check

    def _caching(self, caches: Caches) -> Caching:
        is_marked = "x-cache" in self.spec
        if is_marked and not (self.is_safe and "etag" in self.success.headers and self.has_header("if-none-match")):
            raise at(self.spec, f"{self.id} has x-cache; it must be a GET with an ETag and an If-None-Match parameter.")
        return caches.of(self.spec, takes_credentials=self.security is not None)

    def _declared_arguments(self) -> set[str]:
        return set(self.parameters.by_argument) | ({"body"} if self.body else set())

    def _possible_statuses(self) -> Iterator[int]:
        """Yield every status that the declared features can end in."""
        possible = {400: True, 500: True}
        possible |= {401: self.security is not None, 403: self.security is not None and not self.security.is_optional}
        possible |= dict.fromkeys((408, 413, 415, 422), self.body is not None)
        possible |= {406: self.media_types is not None}
        possible |= dict.fromkeys((PARTIAL, 416), self.has_header("range"))
        possible |= {410: self.deprecation.sunset is not None, 412: self.is_guarded, 428: self.must_match}
        possible |= {429: self.rate_limit is not None}
        possible |= {304: self.has_header("if-none-match") or self.has_header("if-modified-since")}
        possible |= {503: self.needs_session}
        yield from (status for status, is_possible in possible.items() if is_possible)
