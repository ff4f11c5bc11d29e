"""Reads the contract: the YAML files under openapi/, as one document that keeps their names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

# LibYAML is ten times as fast, where it is there.
_FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")

IMPLEMENTATION_WORDS = frozenset(
    {"x-openapi-router-controller", "x-bearerInfoFunc", "x-tokenInfoFunc", "x-apikeyInfoFunc", "x-basicInfoFunc"}
)


class ContractError(Exception):
    """The contract and the program do not fit, so the program does not start."""


class Node(dict[str, Any]):
    """A mapping of the contract that knows its file and line."""

    place = "the contract"


def at(node: Any, message: str) -> ContractError:
    """Return the error that *message* is wrong at the place of *node*."""
    return ContractError(f"{getattr(node, 'place', Node.place)}: {message}")


class Document:
    """The contract as one OpenAPI document; every reference in it is to one of its components."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    @classmethod
    def read(cls, index: Path) -> "Document":
        """
        Return the document that *index* and the files it refers to make up.

        A reference to `components/schemas/Product.yaml` becomes one to the component of
        that name, so the published document keeps the names its authors gave; path items
        and texts (`description.md`) are put in place.

        Raises ContractError where a file is missing, is not YAML, or says a key twice.
        """
        return cls(_Bundle(index).document)

    def follow(self, node: Any) -> Any:
        """Return what *node* stands for if it is a reference (its siblings win), otherwise *node* itself."""
        seen = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in seen:
                raise at(node, f"{node['$ref']} refers to itself.")
            seen.append(node["$ref"])
            target = self._target(node)
            siblings = {key: value for key, value in node.items() if key != "$ref"}
            if siblings:
                place = getattr(node, "place", Node.place)
                target = Node({**target, **siblings})
                target.place = place
            node = target
        return node

    def operations(self) -> Iterator[tuple[str, str, Node]]:
        """Yield path template, method and operation, each with its full path and the parameters of its path item."""
        for path, item in self.raw.get("paths", {}).items():
            item = self.follow(item)
            shared = self._parameters(item)
            for method in METHODS:
                if method in item:
                    spec = Node(item[method])
                    spec.place = getattr(item[method], "place", Node.place)
                    spec["parameters"] = list((shared | self._parameters(item[method])).values())
                    servers = spec.get("servers") or item.get("servers") or self.raw.get("servers") or [{"url": "/"}]
                    yield _base(servers[0]["url"]) + path, method, spec

    def published(self) -> dict[str, Any]:
        """Return the document for its readers: without the words that name functions of the program."""

        def copy(node: Any) -> Any:
            match node:
                case dict():
                    return {key: copy(value) for key, value in node.items() if key not in IMPLEMENTATION_WORDS}
                case list():
                    return [copy(item) for item in node]
            return node

        document: dict[str, Any] = copy(self.raw)
        return document

    def dumped(self, as_yaml: bool) -> bytes:
        """Return what is published, as JSON or as YAML."""
        made = orjson.dumps(self.published())
        if as_yaml:
            text: str = yaml.dump(
                orjson.loads(made), Dumper=_FastDumper, sort_keys=False, allow_unicode=True, width=120
            )
            return text.encode()
        return made

    def _parameters(self, node: dict[str, Any]) -> dict[tuple[str, str], Any]:
        followed = [self.follow(parameter) for parameter in node.get("parameters", ())]
        return {(parameter["in"], parameter["name"]): parameter for parameter in followed}

    def _target(self, node: dict[str, Any]) -> Any:
        reference = node["$ref"]
        target: Any = self.raw
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise at(node, f"{reference!r} is not a reference into this document.")
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
                target = target[int(part)]
            elif isinstance(target, dict) and part in target:
                target = target[part]
            else:
                raise at(node, f"{reference} refers to nothing.")
        return target


def component(schema: Any) -> str | None:
    """Return the name of the component schema that *schema* refers to."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    name = reference.removeprefix("#/components/schemas/") if isinstance(reference, str) else None
    return name if name and name != reference and "/" not in name else None


def _base(url: str) -> str:
    """Return the path of a server URL, without the slash at its end."""
    return re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*", "", url).rstrip("/")


class _Bundle:
    """Brings many files into one document."""

    def __init__(self, index: Path) -> None:
        self.files: dict[Path, Any] = {}
        self.origins: dict[tuple[str, str], str] = {}
        self.root = index.resolve().parents[2]
        self.document = self._file(index.resolve(), None)
        self.components = self.document.setdefault("components", Node())
        for part in list(self.document):
            self.document[part] = self._gather(self.document[part], index.resolve())

    def _file(self, file: Path, referrer: Any) -> Any:
        if file not in self.files:
            name = file.relative_to(self.root) if file.is_relative_to(self.root) else file
            try:
                text = file.read_text(encoding="utf-8")
                self.files[file] = text if file.suffix == ".md" else _load(text, str(name))
            except (OSError, UnicodeDecodeError) as error:
                if referrer is None:
                    raise ContractError(f"{name} cannot be read: {error}") from None
                raise at(referrer, f"{referrer['$ref']} refers to {name}, which cannot be read.") from None
            except yaml.YAMLError as error:
                raise ContractError(f"{name} is not YAML: {' '.join(str(error).split())}") from None
        return self.files[file]

    def _gather(self, node: Any, here: Path) -> Any:
        match node:
            case {"$ref": str(reference)} if not reference.startswith("#"):
                return self._gather_reference(node, here)
            case dict():
                for key in list(node):
                    node[key] = self._gather(node[key], here)
            case list():
                node[:] = [self._gather(item, here) for item in node]
        return node

    def _gather_reference(self, node: Any, here: Path) -> Any:
        file, _, fragment = node["$ref"].partition("#")
        target = (here.parent / file).resolve()
        value = self._file(target, node)
        parts = [part for part in fragment.split("/") if part]
        kind, name, rest = _address(target, parts)
        if kind is None:
            return self._gather(value, target) if isinstance(value, dict) else value
        for part in parts[: len(parts) - len(rest)]:
            if not isinstance(value, dict) or part not in value:
                raise at(node, f"{node['$ref']} refers to nothing in {target.name}.")
            value = value[part]
        kept = self.components.setdefault(kind, Node())
        origin = f"{target}#{fragment}" if not rest else str(target)
        if name not in kept:
            kept[name], self.origins[kind, name] = value, origin  # Kept first, so that a cycle ends here.
            kept[name] = self._gather(value, target)
        elif self.origins.get((kind, name), origin).partition("#")[0] != str(target):
            raise at(node, f"two files give the component {kind}/{name}; rename one.")
        gathered = Node({"$ref": "/".join(["#/components", kind, name, *rest])})
        gathered.update({key: self._gather(value, here) for key, value in node.items() if key != "$ref"})
        gathered.place = node.place
        return gathered


def _address(file: Path, fragment: list[str]) -> tuple[str | None, str, list[str]]:
    """Return kind and name of the component that a file and a fragment in it are, and what of it is meant."""
    parts = file.with_suffix("").parts
    if "components" not in parts:
        return None, "", []
    kind, *deeper = parts[len(parts) - parts[::-1].index("components") :]
    return (kind, deeper[-1], fragment) if deeper else (kind, fragment[0], fragment[1:]) if fragment else (None, "", [])


class _Loader(_FastLoader):  # type: ignore[misc, valid-type]  # Which class it is, only the installation knows.
    """YAML 1.2 as OpenAPI wants it: JSON's scalars only, keys are strings and stand once."""

    source = ""
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML takes it from the class.


def _load(text: str, source: str) -> Any:
    loader = _Loader(text)
    loader.source = source
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[Node]:
    made = Node()
    made.place = f"{loader.source}:{node.start_mark.line + 1}"
    yield made
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key in made:
            raise ContractError(f"{loader.source}:{key_node.start_mark.line + 1}: {key!r} is said twice.")
        made[key] = loader.construct_object(value_node, deep=True)


for _tag, _pattern, _first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
