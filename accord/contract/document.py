"""Reads the contract: the YAML files under openapi/, as one document that keeps their names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from accord.contract import page_links
from accord.contract.bundle import bundle
from accord.contract.errors import SourceMapping, error_at

# LibYAML is ten times as fast, where it is there.
_FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")

PRIVATE_EXTENSIONS = frozenset(
    {"x-openapi-router-controller", "x-bearerInfoFunc", "x-tokenInfoFunc", "x-apikeyInfoFunc", "x-basicInfoFunc"}
)


class Document:
    """The contract as one OpenAPI document; every reference in it is to one of its components."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    @classmethod
    def read(cls, index: Path) -> "Document":
        """Return the document that *index* and the files it refers to make up (`bundle`), its page links written out.

        Raises ContractError for what `bundle` and `page_links.complete` refuse.
        """
        document = cls(bundle(index))
        page_links.complete(document.raw, document.resolve)
        return document

    def resolve(self, node: Any) -> Any:
        """Return what *node* stands for if it is a reference (its siblings win), otherwise *node* itself."""
        seen = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in seen:
                raise error_at(node, f"{node['$ref']} refers to itself.")
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
        """Return what the reference *node* names, without its siblings; raises ContractError if there is nothing."""
        reference = node["$ref"]
        target: Any = self.raw
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise error_at(node, f"{reference!r} is not a reference into this document.")
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
                target = target[int(part)]
            elif isinstance(target, dict) and part in target:
                target = target[part]
            else:
                raise error_at(node, f"{reference} refers to nothing.")
        return target

    def operations(self) -> Iterator[tuple[str, str, SourceMapping]]:
        """Yield path template, method and operation, each with its full path and the parameters of its path item."""
        for path, item in self.raw.get("paths", {}).items():
            item = self.resolve(item)
            shared = self._parameters(item)
            for method in METHODS:
                if method in item:
                    spec = SourceMapping(item[method])
                    spec.place = getattr(item[method], "place", SourceMapping.place)
                    spec["parameters"] = list((shared | self._parameters(item[method])).values())
                    servers = spec.get("servers") or item.get("servers") or self.raw.get("servers") or [{"url": "/"}]
                    yield _base(servers[0]["url"]) + path, method, spec

    def security_schemes(self) -> dict[str, dict[str, Any]]:
        """Return the security schemes by name, references resolved."""
        declared = self.raw.get("components", {}).get("securitySchemes", {})
        return {name: self.resolve(spec) for name, spec in declared.items()}

    def public(self) -> dict[str, Any]:
        """Return the document for its readers: without the words that name functions of the program."""

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
        """Return what is published, as JSON or as YAML."""
        made = orjson.dumps(self.public())
        if as_yaml:
            text: str = yaml.dump(
                orjson.loads(made), Dumper=_FastDumper, sort_keys=False, allow_unicode=True, width=120
            )
            return text.encode()
        return made

    def _parameters(self, node: dict[str, Any]) -> dict[tuple[str, str], Any]:
        followed = [self.resolve(parameter) for parameter in node.get("parameters", ())]
        return {(parameter["in"], parameter["name"]): parameter for parameter in followed}


def component_name(schema: Any) -> str | None:
    """Return the name of the component schema that *schema* refers to."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    name = reference.removeprefix("#/components/schemas/") if isinstance(reference, str) else None
    return name if name and name != reference and "/" not in name else None


def _base(url: str) -> str:
    """Return the path of a server URL, without the slash at its end."""
    return re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*", "", url).rstrip("/")
