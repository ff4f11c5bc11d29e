"""Brings the YAML files of a contract into one document, and keeps the names they give."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from accord.contract.errors import ContractError, SourceMapping, error_at

# LibYAML is ten times as fast, where it is there.
_FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def bundle(index: Path) -> dict[str, Any]:
    """
    Return the document that *index* and the files it refers to make up.

    A reference to `components/schemas/Product.yaml` becomes one to the component of that name;
    what lies elsewhere, path items and texts (`description.md`), is put in place.

    Raises ContractError where a file is missing, is not YAML, says a key twice, or refers to itself.
    """
    document: dict[str, Any] = _Bundle(index.resolve()).document
    return document


class _Bundle:
    def __init__(self, index: Path) -> None:
        self.files: dict[Path, Any] = {}
        self.targets: dict[tuple[Path, str], Path] = {}
        self.origins: dict[tuple[str, str], Path] = {}
        self.placing: list[str] = []
        self.root = index.parents[2]
        self.document = self._file(index, None)
        if not isinstance(self.document, dict):
            raise ContractError(f"{index.relative_to(self.root)} must be an OpenAPI document.")
        self.components = self.document.setdefault("components", SourceMapping())
        for part in list(self.document):
            self.document[part] = self._gather(self.document[part], index)

    def _file(self, file: Path, referrer: Any) -> Any:
        if file not in self.files:
            name = file.relative_to(self.root) if file.is_relative_to(self.root) else file
            try:
                text = file.read_text(encoding="utf-8")
                self.files[file] = text if file.suffix == ".md" else _load(text, str(name))
            except (OSError, UnicodeDecodeError) as error:
                if referrer is None:
                    raise ContractError(f"{name} cannot be read: {error}") from None
                raise error_at(referrer, f"{referrer['$ref']} refers to {name}, which cannot be read.") from None
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
        target, parts = self._target(here, file), [part for part in fragment.split("/") if part]
        kind, name, inside = _address(target, parts)
        value = self._file(target, node)
        for part in parts[: len(parts) - len(inside)]:
            if not isinstance(value, dict) or part not in value:
                raise error_at(node, f"{node['$ref']} refers to nothing in {target.name}.")
            value = value[part]
        if kind is None:
            return self._placed(node, value, target)
        kept = self.components.setdefault(kind, SourceMapping())
        if name not in kept:
            kept[name], self.origins[kind, name] = value, target  # Kept first, so that a cycle ends here.
            kept[name] = self._gather(value, target)
        elif self.origins.get((kind, name)) != target:
            raise error_at(node, f"the component {kind}/{name} stands elsewhere, too; rename one.")
        gathered = SourceMapping({"$ref": "/".join(["#/components", kind, name, *inside])})
        gathered.update({key: self._gather(value, here) for key, value in node.items() if key != "$ref"})
        gathered.place = node.place
        return gathered

    def _target(self, here: Path, file: str) -> Path:
        """Return the file that *file* names in *here*; the same ones are named again and again."""
        found = self.targets.get((here, file))
        if found is None:
            found = (here.parent / file).resolve()
            self.targets[here, file] = found
        return found

    def _placed(self, node: Any, value: Any, target: Path) -> Any:
        reference = f"{target} {node['$ref'].partition('#')[2]}"
        if reference in self.placing:
            raise error_at(node, f"{node['$ref']} refers back to itself.")
        self.placing.append(reference)
        placed = self._gather(value, target)
        self.placing.pop()
        return placed


def _address(file: Path, fragment: list[str]) -> tuple[str | None, str, list[str]]:
    """Return kind and name of the component that a file and a fragment in it are, and what inside of it is meant."""
    parts = file.with_suffix("").parts
    if "components" not in parts:
        return None, "", []
    kind, *deeper = parts[len(parts) - parts[::-1].index("components") :]
    if deeper:
        return kind, deeper[-1], fragment
    return (kind, fragment[0], fragment[1:]) if fragment else (None, "", [])


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


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[SourceMapping]:
    made = SourceMapping()
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
