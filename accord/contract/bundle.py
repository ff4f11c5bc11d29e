"""Bundles the YAML files of a contract into one OpenAPI document, with the file names as component names."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from accord.contract.errors import ContractError, SourceMapping, error_at
from accord.contract.keywords import subschemas
from accord.contract.references import Place, fragment, is_uri, pointer_parts

# LibYAML is ten times as fast, but not every installation has it.
_FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Sources:
    """The files of a document: their contents by path, and file and name of each component that is referred to."""

    root: Path
    files: Mapping[Path, Any]
    components: frozenset[tuple[Path, str]]


def bundle(index: Path) -> tuple[dict[str, Any], Sources]:
    """
    Return *index* and all files that it refers to as one document, and these files.

    A reference to `components/schemas/Product.yaml` becomes a reference to the component of that name.
    References to other files, such as path items and texts (`description.md`), are replaced by their targets.

    Raises ContractError for a file that is missing, is not YAML, has a duplicate key, or refers to itself.
    """
    bundled = _Bundle(index.resolve())
    components = frozenset((file, name) for (_, name), file in bundled.origins.items())
    return bundled.document, Sources(bundled.root, bundled.files, components)


class _Bundle:
    def __init__(self, index: Path) -> None:
        self.files: dict[Path, Any] = {}
        self.targets: dict[tuple[Path, str], Path] = {}
        """Paths by folder and reference. Most files are named many times."""
        self.origins: dict[tuple[str, str], Path] = {}
        self.open_references: list[str] = []
        self.root = index.parents[2]
        self.document = self._file(index, None)
        if not isinstance(self.document, dict):
            raise ContractError(f"{index.relative_to(self.root)} is not a mapping; make it an OpenAPI document.")
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
                message = f"{referrer['$ref']} refers to {name}, which cannot be read; correct the reference."
                raise error_at(referrer, message) from None
            except yaml.YAMLError as error:
                raise _yaml_error(str(name), error) from None
        return self.files[file]

    def _gather(self, node: Any, here: Path, has_id: bool = False) -> Any:
        """Return *node* of the file *here* with the targets of its references to files.

        Within a schema with a `$id`, references are relative to that, and so they are to no files.
        """
        match node:
            case {"$ref": str(reference)} if not (
                has_id or "$id" in node or reference[0:1] == "#" or is_uri(reference)
            ):
                return self._gather_reference(node, here)
            case dict():
                has_id = has_id or isinstance(node.get("$id"), str)
                for key, value in node.items():
                    # Most values are strings.
                    if type(value) is not str:
                        node[key] = self._gather(value, here, has_id)
            case list():
                node[:] = [self._gather(item, here, has_id) for item in node]
        return node

    def _gather_reference(self, node: Any, here: Path) -> Any:
        file, _, inner = node["$ref"].partition("#")
        if "\0" in unquote(file):
            raise error_at(node, f"{node['$ref']} refers to no file; correct the reference.")
        target = self._target(here, unquote(file))
        value = self._file(target, node)
        parts = pointer_parts(inner) if inner.startswith("/") or not inner else _anchor_parts(value, unquote(inner))
        kind, name, inside = _address(target, parts)
        for part in parts[: len(parts) - len(inside)]:
            if not isinstance(value, dict) or part not in value:
                message = f"{node['$ref']} refers to nothing in {target.name}; correct the reference."
                raise error_at(node, message)
            value = value[part]
        if kind is None:
            return self._inline(node, value, target)
        components = self.components.setdefault(kind, SourceMapping())
        if name not in components:
            # The component is stored before its references are followed, so that a cycle ends here.
            components[name] = value
            self.origins[kind, name] = target
            components[name] = self._gather(value, target)
        elif self.origins.get((kind, name)) != target:
            raise error_at(node, f"the component {kind}/{name} has two definitions; rename one.")
        bundled = SourceMapping({"$ref": fragment(("components", kind, name, *inside))})
        bundled.update({key: self._gather(value, here) for key, value in node.items() if key != "$ref"})
        bundled.place, bundled.lines = node.place, node.lines
        return bundled

    def _target(self, here: Path, file: str) -> Path:
        """Return the path of *file* as written in *here*."""
        folder = here.parent
        target = self.targets.get((folder, file))
        if target is None:
            target = (folder / file).resolve()
            self.targets[folder, file] = target
        return target

    def _inline(self, node: Any, value: Any, target: Path) -> Any:
        reference = f"{target} {node['$ref'].partition('#')[2]}"
        if reference in self.open_references:
            raise error_at(node, f"{node['$ref']} refers to itself; break the cycle.")
        self.open_references.append(reference)
        inlined = self._gather(value, target)
        self.open_references.pop()
        return inlined


def _address(file: Path, fragment: list[str]) -> tuple[str | None, str, list[str]]:
    """Return kind and name of the component at *fragment* of *file*, and the rest of the fragment inside the component.

    The kind is None if the file is not below a `components` folder.
    """
    below = _parts_below_components(file)
    if below is None:
        return None, "", []
    kind, *deeper = below
    if deeper:
        return kind, deeper[-1], fragment
    return (kind, fragment[0], fragment[1:]) if fragment else (None, "", [])


@lru_cache(maxsize=1_000)
def _parts_below_components(file: Path) -> tuple[str, ...] | None:
    parts = file.with_suffix("").parts
    return parts[len(parts) - parts[::-1].index("components") :] if "components" in parts else None


def _anchor_parts(schema: Any, anchor: str) -> list[str]:
    """Return the place of the schema with `$anchor` within *schema*; if there is none, a place that does not exist."""
    pending: list[tuple[Place, Any]] = [((), schema)]
    while pending:
        place, node = pending.pop()
        if isinstance(node, dict):
            if node.get("$anchor") == anchor:
                return list(place)
            pending += [((*place, *inner), part) for inner, part in subschemas(node)]
    return [anchor]


_STRING = "tag:yaml.org,2002:str"
_STANDARD_TAGS = ("tag:yaml.org,2002:seq", _STRING)
"""The tags whose values PyYAML constructs."""


class _Loader(_FastLoader):  # type: ignore[misc, valid-type]  # The class depends on the installation.
    """Loads YAML 1.2 as OpenAPI requires it: scalars of JSON only, keys are strings and unique."""

    source = ""
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML reads it from the class.

    def resolve(self, kind: Any, value: str, implicit: Any) -> str:
        """Return the tag of a node, as the base class does. Most scalars are strings by their first character."""
        if kind is yaml.ScalarNode and (not implicit[0] or value[:1] not in self.yaml_implicit_resolvers):
            return _STRING
        tag: str = super().resolve(kind, value, implicit)
        return tag


def _load(text: str, source: str) -> Any:
    loader = _Loader(text)
    loader.source = source
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _yaml_error(name: str, error: yaml.YAMLError) -> ContractError:
    """Return the ContractError with the line at which the YAML could not be parsed."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    reason = ", ".join(part for part in parts if part) or " ".join(str(error).split())
    return ContractError(f"{name}{f':{mark.line + 1}' if mark else ''}: this is not valid YAML ({reason}); correct it.")


def _mapping(loader: _Loader, node: Any) -> Iterator[SourceMapping]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, "expected a mapping", node.start_mark)
    mapping = SourceMapping()
    mapping.place = f"{loader.source}:{node.start_mark.line + 1}"
    # PyYAML takes the mapping before it has members, so that an anchor can refer to it.
    yield mapping
    lines: dict[str, int] = {}
    mapping.lines = lines
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            message = "a key must be a string, not a list or a mapping; correct the YAML."
            raise ContractError(f"{loader.source}:{line}: {message}")
        key = str(key_node.value)
        if key in mapping:
            raise ContractError(f"{loader.source}:{line}: {key!r} is a duplicate key; remove one.")
        lines[key] = line
        # Most values are strings, which need no constructor.
        is_string = value_node.tag == _STRING and isinstance(value_node, yaml.ScalarNode)
        mapping[key] = value_node.value if is_string else loader.construct_object(value_node, deep=True)


def _integer(text: str) -> float:
    # Python reads at most 4,300 digits. A number of so many is infinite, which validation reports.
    return int(text) if len(text) < 1000 else float(text)


def _scalar(kind: str, read: Callable[[str], Any]) -> Callable[[_Loader, Any], Any]:
    def construct(loader: _Loader, node: Any) -> Any:
        text = loader.construct_scalar(node)
        try:
            return read(text)
        except (KeyError, ValueError):
            raise yaml.constructor.ConstructorError(None, None, f"this is no {kind} of JSON", node.start_mark) from None

    return construct


# Tags that are written, such as `!!timestamp`, could make values that JSON does not have.
_Loader.yaml_constructors = {
    tag: construct for tag, construct in _Loader.yaml_constructors.items() if tag in (None, *_STANDARD_TAGS)
}
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
for _kind, _pattern, _first, _read in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""], {"null": None, "~": None, "": None}.__getitem__),
    ("bool", r"^(?:true|false)$", list("tf"), {"true": True, "false": False}.__getitem__),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789"), _integer),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789"), float),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _scalar(_kind, _read))
