"""The contracts of a service, compiled into operations."""

from collections.abc import Callable, Mapping
from typing import Any

from connexion.resolver import Resolver

from accord.contract import validation
from accord.contract.document import Document
from accord.contract.errors import ContractError, at
from accord.contract.json_schemas import Schemas
from accord.engine import security
from accord.engine.marshmallow_schemas import Representations
from accord.engine.operation import Operation, Policy, Shared
from accord.engine.policies import Seam
from accord.engine.policies.audit import Audited, Trail
from accord.engine.policies.cache_control import REVALIDATED, Caches
from accord.engine.policies.conditional_requests import etag, revalidated, tagged
from accord.engine.policies.content_negotiation import negotiated
from accord.engine.policies.idempotency import Idempotent, Store
from accord.engine.policies.range_requests import ranges
from accord.engine.policies.rate_limits import Meter, RateLimits, Tally
from accord.engine.policies.response_cache import KeptAnswers
from accord.engine.policies.sparse_fieldsets import sparse_fields
from accord.engine.problems import Errors
from accord.engine.renderers import links
from accord.engine.renderers.response import Answer
from accord.engine.renderers.serializer import Dumps
from accord.engine.request import Limits
from accord.engine.resolution import function_of, public_functions
from accord.engine.routing import Path, Router


class Contract:
    """The documents that are served, their operations compiled. `ContractMiddleware` serves them."""

    def __init__(
        self,
        *,
        seam: Seam,
        errors: Errors,
        tools: Mapping[str, Any] | None = None,
        store: Store | None = None,
        trail: Trail | None = None,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        ends_at_sunset: bool = False,
        meter: Meter | None = None,
        tally: Tally | None = None,
        fold: Callable[[str], str] = str.casefold,
        kept: KeptAnswers | None = None,
    ) -> None:
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
        self.meter = meter
        self.fold = fold
        self.tally = tally or Tally()
        self.kept = kept
        self.policies: list[Policy] = [
            tagged, sparse_fields, negotiated, revalidated, ranges, Idempotent(store), Audited(trail),
        ]  # fmt: skip
        self.router = Router()
        self.documents: list[Document] = []
        self.operations: list[Operation] = []
        self.published: dict[str, Answer] = {}
        """The documents as they are served, by path."""

    def add_document(self, document: Document, published_at: str) -> None:
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
                operation = Operation(spec, method, path, function_of(spec, self.resolver), shared)
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
                faults.append(at(operation.spec, f"the successor of {operation.id}, {successor}, is in no contract."))
        _refuse(list(faults))

    def path_item(self, template: str) -> Path | None:
        """Return the path of this template, with its operations."""
        return self.router.paths.get(template)

    def _publish(self, document: Document, at_path: str) -> None:
        for suffix, kind in (("json", b"application/json"), ("yaml", b"application/yaml")):
            body = document.dumped(as_yaml=suffix == "yaml")
            headers = [(b"content-type", kind), (b"etag", etag(body)), (b"vary", b"Accept-Encoding"), *REVALIDATED]
            self.published[f"{at_path}.{suffix}"] = Answer(200, body, headers)


def _refuse(faults: list[Exception]) -> None:
    if faults:
        raise ContractError("\n".join(dict.fromkeys(str(fault) for fault in faults)))
