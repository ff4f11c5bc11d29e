"""One operation of the contract, compiled."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

from contract.answering.dumping import Dumps
from contract.answering.media_types import MediaTypes
from contract.answering.response import Answer, Response
from contract.errors import at
from contract.policies import Perform
from contract.policies.caching import Caches, Caching
from contract.policies.deprecation import Deprecation
from contract.policies.rate_limit import RateLimits
from contract.problems import Fault, Problem
from contract.reading.bodies import Body
from contract.reading.parameters import Parameter, Parameters
from contract.representations import Representations
from contract.request import Limits, Request
from contract.routing import Path
from contract.security import Scheme, Security

Policy = Callable[["Operation", Perform], Perform | None]

_MOST_FAULTS = 100
_PARTIAL = 206
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
        self.spec, self.method, self.path, self.function = spec, method, path, function
        self.representations = shared.representations
        self.schemas = schemas = shared.representations.schemas
        self.document = document = schemas.document
        self.is_safe = method in ("get", "head")
        every = [Parameter(parameter, shared.representations) for parameter in spec["parameters"]]
        self._check_path_parameters(every)
        self.parameters = Parameters(every, path.names, _POLICY_HEADERS)
        guards = [parameter for parameter in every if parameter.is_header("if-match")]
        self.is_guarded, self.must_match = bool(guards), any(guard.required for guard in guards)
        requirements = spec.get("security", document.raw.get("security", []))
        self.security = Security(requirements, shared.schemes) if requirements else None
        self.rate_limit = shared.rate_limits.of(spec)
        body = document.follow(spec["requestBody"]) if "requestBody" in spec else None
        self.body = Body(body, shared.representations, shared.limits) if body else None
        declared = {status: document.follow(response) for status, response in spec["responses"].items()}
        credentials = self.security.headers if self.security and "x-cache-profile" in spec else []
        self.responses = {
            int(status): Response(self.id, int(status), response, schemas, credentials)
            for status, response in declared.items()
            if status.isdigit()
        }
        self._ranges = declared.keys() - {str(status) for status in self.responses}
        self.success = self._success()
        is_chosen = self.success.contents and not self.success.is_content
        self.media_types = MediaTypes(self.success, shared.representations) if is_chosen else None
        self.caching = self._caching(shared.caches)
        self.deprecation, self.is_deprecated = Deprecation(spec, path.names), spec.get("deprecated", False)
        self._check_arguments(shared.tools)
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
        self._check_statuses()
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

    def _success(self) -> Response:
        successes = [r for status, r in self.responses.items() if 200 <= status < 300 and status != _PARTIAL]
        if len(successes) != 1:
            raise at(self.spec, f"{self.id} has {len(successes)} responses of 2xx; an operation has one.")
        return successes[0]

    def _caching(self, caches: Caches) -> Caching:
        is_marked = "x-cache-profile" in self.spec
        if is_marked and not (self.is_safe and "etag" in self.success.headers and self.has_header("if-none-match")):
            raise at(
                self.spec,
                f"{self.id} has x-cache-profile; it must be a GET with an ETag and an If-None-Match parameter.",
            )
        return caches.of(self.spec, takes_credentials=self.security is not None)

    def _declared_arguments(self) -> set[str]:
        return set(self.parameters.by_argument) | ({"body"} if self.body else set())

    def _check_path_parameters(self, every: list[Parameter]) -> None:
        declared = {parameter.name for parameter in every if parameter.place == "path"}
        if declared != set(self.path.names):
            differing = ", ".join(sorted(declared ^ set(self.path.names)))
            raise at(self.spec, f"{self.id}: the path is {self.path.template}, but {differing} is not in both.")
        arguments = [parameter.argument for parameter in every]
        if twice := {argument for argument in arguments if arguments.count(argument) > 1}:
            raise at(self.spec, f"{self.id}: two parameters are the argument {', '.join(twice)}; rename one.")

    def _check_arguments(self, tools: Mapping[str, Any]) -> None:
        where = f"{self.function.__module__}.{self.function.__name__}"
        wanted = signature(self.function).parameters.values()
        if any(argument.kind not in (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY) for argument in wanted):
            raise at(self.spec, f"{where} must name its arguments, without * and **.")
        names = {argument.name for argument in wanted}
        declared = self._declared_arguments()
        offered = declared | set(tools) | {"session", "caller"}
        if unknown := sorted(names - offered):
            raise at(self.spec, f"{where} takes {', '.join(unknown)}, which the contract of {self.id} does not have.")
        queried = {p.argument for p in self.parameters.every if p.place != "header" and p.argument != "fields"}
        if unused := sorted((queried | ({"body"} if self.body else set())) - names):
            raise at(self.spec, f"{self.id} has {', '.join(unused)}, which {where} does not take.")
        for argument in wanted:
            parameter = self.parameters.by_argument.get(argument.name)
            optional = parameter and not parameter.required and not parameter.has_default
            if optional and argument.default is Argument.empty:
                raise at(self.spec, f"{where}: {argument.name} may be missing in the request; give it a default.")

    def _check_statuses(self) -> None:
        """Raise ContractError unless every status that the declared features can end in is declared."""
        needed = {400: True, 500: True}
        needed |= {401: self.security is not None, 403: self.security is not None and not self.security.is_optional}
        needed |= dict.fromkeys((408, 413, 415, 422), self.body is not None)
        needed |= {406: self.media_types is not None}
        needed |= dict.fromkeys((_PARTIAL, 416), self.has_header("range"))
        needed |= {410: self.deprecation.sunset is not None, 412: self.is_guarded, 428: self.must_match}
        needed |= {429: self.rate_limit is not None}
        needed |= {304: self.has_header("if-none-match") or self.has_header("if-modified-since")}
        needed |= {503: self.needs_session}
        if missing := [str(status) for status, is_needed in needed.items() if is_needed and not self.declares(status)]:
            raise at(self.spec, f"{self.id} can answer {', '.join(missing)}; declare what these answers are.")
