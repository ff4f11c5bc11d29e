"""The OpenAPI document: reads the YAML files under openapi/, resolves references, lists operations, publishes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from accord.contract import common_responses, page_links
from accord.contract.bundle import Sources, bundle
from accord.contract.errors import SourceMapping, error_at

# LibYAML is ten times as fast, but not every installation has it.
_FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")

PRIVATE_EXTENSIONS = frozenset(
    {"x-openapi-router-controller", "x-bearerInfoFunc", "x-tokenInfoFunc", "x-apikeyInfoFunc", "x-basicInfoFunc"}
)
"""The extensions that name functions of the program. The published document does not have them."""


class Document:
    """The contract as one OpenAPI document. All of its references are to its own components."""

    def __init__(self, raw: dict[str, Any], sources: Sources | None = None) -> None:
        """Store the OpenAPI document *raw*, and *sources*, the files that it was read from."""
        self.raw = raw
        self.sources = sources
        self.common_headers: frozenset[str] = frozenset()
        """The headers of every response, in lower case. They are not added by the operation."""

    @classmethod
    def read(cls, index: Path) -> "Document":
        """Return the document that `bundle` makes of *index*, with its page links and common responses completed.

        Raises ContractError, as `bundle` and `page_links.complete` do.
        """
        document = cls(*bundle(index))
        page_links.complete(document.raw, document.resolve)
        document.common_headers = common_responses.complete(document.raw, document.resolve)
        return document

    def resolve(self, node: Any) -> Any:
        """Return the target of *node* if it is a reference, otherwise *node* itself.

        Siblings of `$ref` override the members of the target. Raises ContractError for a cycle, and as `lookup` does.
        """
        seen = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in seen:
                raise error_at(node, f"{node['$ref']} refers to itself; break the cycle.")
            seen.append(node["$ref"])
            target = self.lookup(node)
            siblings = {key: value for key, value in node.items() if key != "$ref"}
            if siblings:
                place = getattr(node, "place", SourceMapping.place)
                target = SourceMapping({**target, **siblings})
                target.place = place
            node = target
        return node

    def lookup(self, node: dict[str, Any]) -> Any:
        """Return the target of the reference *node*, without its siblings. Raises ContractError if there is none."""
        reference = node["$ref"]
        target: Any = self.raw
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise error_at(
                node, f"{reference!r} is not a reference into this document; write one that begins with `#/`."
            )
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
                target = target[int(part)]
            elif isinstance(target, dict) and part in target:
                target = target[part]
            else:
                raise error_at(node, f"{reference} refers to nothing; correct the reference.")
        return target

    def operations(self) -> Iterator[tuple[str, str, SourceMapping]]:
        """Yield path template, method and Operation Object of each operation.

        The template includes the path of the server URL, and the parameters include those of the path item.
        """
        for path, item in self.raw.get("paths", {}).items():
            item = self.resolve(item)
            shared = self._parameters(item)
            for method in METHODS:
                if method in item:
                    spec = SourceMapping(item[method])
                    spec.place = getattr(item[method], "place", SourceMapping.place)
                    spec.key_places = getattr(item[method], "key_places", {})
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
        if as_yaml:
            text: str = yaml.dump(
                orjson.loads(as_json), Dumper=_FastDumper, sort_keys=False, allow_unicode=True, width=120
            )
            return text.encode()
        return as_json

    def _parameters(self, node: dict[str, Any]) -> dict[tuple[str, str], Any]:
        parameters = [self.resolve(parameter) for parameter in node.get("parameters", ())]
        return {(parameter["in"], parameter["name"]): parameter for parameter in parameters}


def component_name(schema: Any) -> str | None:
    """Return the name of the component schema that *schema* refers to; None if it is no such reference."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    name = reference.removeprefix("#/components/schemas/") if isinstance(reference, str) else None
    return name if name and name != reference and "/" not in name else None


def _server_path(url: str) -> str:
    """Return the path of a server URL, without a trailing slash."""
    return re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*", "", url).rstrip("/")
