"""The OpenAPI document: reads the YAML files under openapi/, resolves references, lists operations, publishes."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from accord.contract import common_responses, page_links, preconditions
from accord.contract.errors import SourceMapping, error_at
from accord.contract.references import Place, pointer_parts, replace_identifiers, schema_objects

if TYPE_CHECKING:
    from accord.contract.bundle import Sources

# The URL of a server in JSON and in YAML, and the beginning of a link to a path in Markdown.
_SERVER_URL_OR_LINK = re.compile(rb'(?:"url":"|- url: )/(?=["\n])|\]\((?=/)')

METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")

PRIVATE_EXTENSIONS = frozenset(
    {"x-openapi-router-controller", "x-bearerInfoFunc", "x-tokenInfoFunc", "x-apikeyInfoFunc", "x-basicInfoFunc"}
)
"""The extensions that name functions of the program. The published document does not have them."""


class Document:
    """The contract as one OpenAPI document. All of its references are JSON pointers into it."""

    def __init__(
        self,
        raw: dict[str, Any],
        sources: "Sources | None" = None,
        *,
        common_headers: frozenset[str] = frozenset(),
        is_valid: bool = False,
    ) -> None:
        """Store *raw*, whose references to a `$id` or an `$anchor` become JSON pointers.

        *sources* are the files that it was read from. With *is_valid* it is the `raw` of a document that was validated
        before, without the places in the YAML. Raises ContractError for a reference to another document.
        """
        self.raw = raw
        self.sources = sources
        self.common_headers = common_headers
        """The headers of every response, in lower case. They are not added by the operation."""
        self.is_valid = is_valid
        if not is_valid:
            replace_identifiers(self.schema_objects)
        self._targets: dict[str, Any] = {}
        """The targets of references, because most are looked up many times."""
        self._headers: dict[int, tuple[Any, dict[str, Any]]] = {}
        """Header Objects by the id of their response, which is stored so that its id stays unique."""

    @cached_property
    def schema_objects(self) -> list[tuple[Place, dict[str, Any]]]:
        """Place and value of each Schema Object that is a mapping, as they were before the document was completed."""
        return list(schema_objects(self.raw))

    @classmethod
    def read(cls, index: Path) -> "Document":
        """Return the document that `bundle` makes of *index*, with its page links and common responses completed.

        Raises ContractError, as `bundle` and `page_links.complete` do.
        """
        from accord.contract.bundle import bundle  # noqa: PLC0415  # Documents that are stored need no parser of YAML.

        document = cls(*bundle(index))
        page_links.complete(document.raw, document.resolve)
        preconditions.complete(document.raw, document.resolve)
        document.common_headers = common_responses.complete(document.raw, document.resolve)
        return document

    def resolve(self, node: Any) -> Any:
        """Return the target of *node* if it is a reference, otherwise *node* itself.

        Siblings of `$ref` override the members of the target. A target that is the schema `true` has none, and `false`
        is `not: {}`. Raises ContractError for a cycle, and as `lookup` does.
        """
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        seen = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in seen:
                raise error_at(node, f"{node['$ref']} refers to itself; break the cycle.")
            seen.append(node["$ref"])
            target = self.lookup(node)
            if len(node) > 1:
                siblings = {key: value for key, value in node.items() if key != "$ref"}
                if isinstance(target, bool):
                    target = {} if target else {"not": {}}
                if not isinstance(target, dict):
                    raise error_at(node, f"{node['$ref']} refers to no mapping; correct the reference.")
                target = SourceMapping.at(node, {**target, **siblings})
            node = target
        return node

    def lookup(self, node: dict[str, Any]) -> Any:
        """Return the target of the reference *node*, without its siblings. Raises ContractError if there is none."""
        reference = node["$ref"]
        if not isinstance(reference, str):
            raise error_at(node, f"`$ref` must be a string, not {reference!r}; correct the reference.")
        if reference not in self._targets:
            self._targets[reference] = self._find(node, reference)
        return self._targets[reference]

    def _find(self, node: dict[str, Any], reference: str) -> Any:
        target: Any = self.raw
        if reference != "#" and not reference.startswith("#/"):
            message = (
                f"{reference} is in another document, and the engine reads files only; copy the target into a file."
            )
            raise error_at(node, message)
        for part in pointer_parts(reference[1:]):
            if isinstance(target, list) and re.fullmatch("0|[1-9][0-9]*", part) and int(part) < len(target):
                target = target[int(part)]
            elif isinstance(target, dict) and part in target:
                target = target[part]
            else:
                raise error_at(node, f"{reference} refers to nothing; correct the reference.")
        return target

    def response_headers(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return the Header Objects of a Response Object by their names in lower case.

        Operations that refer to the same response share them.
        """
        if id(response) not in self._headers:
            headers = {name.lower(): self.resolve(header) for name, header in response.get("headers", {}).items()}
            self._headers[id(response)] = response, headers
        return self._headers[id(response)][1]

    def operations(self) -> Iterator[tuple[str, str, SourceMapping]]:
        """Yield path template, method and Operation Object of each operation.

        The template includes the path of the server URL, and the parameters include those of the path item.
        """
        for path, item in self.raw.get("paths", {}).items():
            item = self.resolve(item)
            shared = self._parameters(item)
            for method in METHODS:
                if method in item:
                    spec = SourceMapping.at(item[method], item[method])
                    spec["parameters"] = list((shared | self._parameters(item[method])).values())
                    servers = spec.get("servers") or item.get("servers") or self.raw.get("servers") or [{"url": "/"}]
                    yield _server_path(servers[0]["url"]) + path, method, spec

    def security_schemes(self) -> dict[str, dict[str, Any]]:
        """Return the Security Scheme Objects by name, with references resolved."""
        declared = self.raw.get("components", {}).get("securitySchemes", {})
        return {name: self.resolve(spec) for name, spec in declared.items()}

    def public(self) -> dict[str, Any]:
        """Return a copy of the document without `PRIVATE_EXTENSIONS`."""

        def copy(node: Any) -> Any:
            match node:
                case dict():
                    return {key: copy(value) for key, value in node.items() if key not in PRIVATE_EXTENSIONS}
                case list():
                    return [copy(item) for item in node]
            return node

        document: dict[str, Any] = copy(self.raw)
        return document

    def render(self, as_yaml: bool) -> bytes:
        """Return the published document as JSON or as YAML."""
        as_json = orjson.dumps(self.public())
        if not as_yaml:
            return as_json
        from accord.contract.published_yaml import to_yaml  # noqa: PLC0415  # It imports PyYAML.

        return to_yaml(orjson.loads(as_json))

    def _parameters(self, node: dict[str, Any]) -> dict[tuple[str, str], Any]:
        parameters = [self.resolve(parameter) for parameter in node.get("parameters", ())]
        return {(parameter["in"], parameter["name"]): parameter for parameter in parameters}


def with_root_path(published: bytes, root_path: str) -> bytes:
    """Return a published document for readers below *root_path*: with it in the server URL, and in links of texts."""
    if not root_path:
        return published
    return _SERVER_URL_OR_LINK.sub(lambda before: before[0].removesuffix(b"/") + root_path.encode(), published)


def component_name(schema: Any) -> str | None:
    """Return the name of the component schema that *schema* refers to; None if it is no such reference."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    parts = pointer_parts(reference[1:]) if isinstance(reference, str) and reference.startswith("#/") else []
    return parts[2] if len(parts) == 3 and parts[:2] == ["components", "schemas"] else None


def _server_path(url: str) -> str:
    """Return the path of a server URL, without a trailing slash."""
    return re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*", "", url).rstrip("/")
