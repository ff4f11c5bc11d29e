"""Routing: finds the path item of a request by its path."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from accord.contract.errors import ContractError

_VARIABLE = re.compile(r"{([^{}]+)}")
PERCENT = ord("%")
"""A byte is found faster as an integer: for bytes, Python raises and drops an error first."""


class PathItem:
    """A path of the contract: its path template, and its operations by method."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.names = _VARIABLE.findall(template)
        self.operations: dict[str, Any] = {}
        self.allow = ""
        self.parent: PathItem | None = None
        """The path item without the last segment, if there is one: `/tasks/{task_id}` of `/tasks/{task_id}/status`."""

    def add(self, method: str, operation: Any) -> None:
        """Add an operation. `GET` also serves `HEAD`, unless the contract declares a `HEAD` operation."""
        self.operations[method.upper()] = operation
        if method == "get":
            self.operations.setdefault("HEAD", operation)
        self.allow = ", ".join(sorted({*self.operations, "OPTIONS"}))


class Router:
    """
    Finds path items in a trie of segments. Literal segments precede variables.

    Paths are not normalized. A path with a trailing slash, an empty segment, an encoded slash or an encoded NUL is a
    different path, which the contract does not have.
    """

    def __init__(self) -> None:
        self.path_items: dict[str, PathItem] = {}
        """The path items by path template."""
        self._literals: dict[str, PathItem] = {}
        self._trie = _TrieNode()

    def add(self, template: str) -> PathItem:
        """Return the path item of *template*, new or existing.

        Raises ContractError if the template is percent-encoded, or if another template matches the same requests.
        """
        if "%" in template:
            raise ContractError(f"{template} is percent-encoded; write the path without encoding.")
        if template not in self.path_items:
            path_item = PathItem(template)
            self.path_items[template] = path_item
            for other in self.path_items.values():
                if template.rpartition("/")[0] == other.template:
                    path_item.parent = other
                elif other.template.rpartition("/")[0] == template:
                    other.parent = path_item
            if path_item.names:
                self._trie.add(template.split("/")[1:], path_item)
            else:
                self._literals[template] = path_item
        return self.path_items[template]

    def find(self, scope: Any) -> tuple[PathItem | None, tuple[str, ...]]:
        """Return the path item of a request and the decoded values of its variables, in the order of the template.

        The path item is None if the contract has no such path.
        """
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if PERCENT not in raw:
            text = scope["path"]
            if (path_item := self._literals.get(text)) is not None:
                return path_item, ()
            if "\0" in text:
                return None, ()
            segments = text.split("/")
        else:
            try:
                segments = [unquote(part, errors="strict") for part in raw.decode("ascii").split("/")]
            except UnicodeDecodeError:
                return None, ()
            if any("/" in segment for segment in segments):
                return None, ()
            if (path_item := self._literals.get("/".join(segments))) is not None:
                return path_item, ()
            if any("\0" in segment for segment in segments):
                return None, ()
        return self._trie.find(segments, 1)


class _TrieNode:
    """The segments that can follow a part of a path: literals, a variable, and mixed ones, such as `{name}.csv`."""

    __slots__ = ("literals", "mixed", "path_item", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _TrieNode] = {}
        self.mixed: dict[str, tuple[re.Pattern[str], _TrieNode]] = {}
        self.variable: _TrieNode | None = None
        self.path_item: PathItem | None = None

    def add(self, segments: list[str], path_item: PathItem) -> None:
        if not segments:
            if self.path_item:
                templates = f"{path_item.template} and {self.path_item.template}"
                raise ContractError(f"{templates} match the same requests; remove one.")
            self.path_item = path_item
            return
        segment, *rest = segments
        if _VARIABLE.fullmatch(segment):
            self.variable = self.variable or _TrieNode()
            self.variable.add(rest, path_item)
        elif _VARIABLE.search(segment):
            pieces = _VARIABLE.split(segment)
            pattern = "".join("(.+?)" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
            self.mixed.setdefault(pattern, (re.compile(pattern, re.DOTALL), _TrieNode()))[1].add(rest, path_item)
        else:
            self.literals.setdefault(segment, _TrieNode()).add(rest, path_item)

    def find(self, segments: list[str], start: int) -> tuple[PathItem | None, tuple[str, ...]]:
        """Return the path item of the segments from *start* on, and the values of its variables."""
        node = self
        values: tuple[str, ...] = ()
        for position in range(start, len(segments)):
            segment = segments[position]
            literal = node.literals.get(segment)
            if node.mixed or (literal and node.variable):
                # Several ways lead on. The first that leads to a path item is taken.
                path_item, others = node._find_in_candidates(segments, position)
                return path_item, values + others if path_item else ()
            if literal:
                node = literal
            elif node.variable and segment:
                node = node.variable
                values = (*values, segment)
            else:
                return None, ()
        return node.path_item, values if node.path_item else ()

    def _find_in_candidates(self, segments: list[str], position: int) -> tuple[PathItem | None, tuple[str, ...]]:
        for values, node in self._candidates(segments[position]):
            path_item, others = node.find(segments, position + 1)
            if path_item:
                return path_item, values + others
        return None, ()

    def _candidates(self, segment: str) -> Iterator[tuple[tuple[str, ...], "_TrieNode"]]:
        if segment in self.literals:
            yield (), self.literals[segment]
        for pattern, node in self.mixed.values():
            if match := pattern.fullmatch(segment):
                yield match.groups(), node
        if self.variable and segment:
            yield (segment,), self.variable
