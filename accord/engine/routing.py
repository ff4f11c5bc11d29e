"""Finds the path item that a request is for."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from accord.contract.errors import ContractError

_VARIABLE = re.compile(r"{([^{}]+)}")


class PathItem:
    """One path of the contract: its template, and the operation of each of its methods."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.names = _VARIABLE.findall(template)
        self.operations: dict[str, Any] = {}
        self.allow = ""
        self.parent: PathItem | None = None
        """The path that this one hangs on, if there is one: `/tasks/{task_id}` of `/tasks/{task_id}/status`."""

    def add(self, method: str, operation: Any) -> None:
        """Add an operation; `HEAD` follows from `GET` unless the contract has one of its own."""
        self.operations[method.upper()] = operation
        if method == "get":
            self.operations.setdefault("HEAD", operation)
        self.allow = ", ".join(sorted({*self.operations, "OPTIONS"}))


class Router:
    """
    Looks paths up by their segments, literal ones first, without trying one pattern after the other.

    A path is taken as it was sent: a slash at its end, an empty segment and an encoded
    slash or NUL make it another path, which the contract does not have.
    """

    def __init__(self) -> None:
        self.paths: dict[str, PathItem] = {}
        self._literal: dict[str, PathItem] = {}
        self._tree = _TrieNode()

    def add(self, template: str) -> PathItem:
        """Return the path of *template*; raises ContractError if another matches the very same requests."""
        if "%" in template:
            raise ContractError(f"{template} is percent-encoded; write the path as it reads.")
        if template not in self.paths:
            path = PathItem(template)
            self.paths[template] = path
            for other in self.paths.values():
                if template.rpartition("/")[0] == other.template:
                    path.parent = other
                elif other.template.rpartition("/")[0] == template:
                    other.parent = path
            if path.names:
                self._tree.add(template.split("/")[1:], path)
            else:
                self._literal[template] = path
        return self.paths[template]

    def find(self, scope: Any) -> tuple[PathItem | None, tuple[str, ...]]:
        """Return the path of the request and the decoded values of its variables, in the order of its template."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if b"%" not in raw:
            text = scope["path"]
            if (path := self._literal.get(text)) is not None:
                return path, ()
            segments = text.split("/")
        else:
            try:
                segments = [unquote(part, errors="strict") for part in raw.decode("ascii").split("/")]
            except UnicodeDecodeError:
                return None, ()
            if any("/" in segment for segment in segments):
                return None, ()
            if (path := self._literal.get("/".join(segments))) is not None:
                return path, ()
        if any("\0" in segment for segment in segments):
            return None, ()
        return self._tree.find(segments, 1)


class _TrieNode:
    """What can follow a piece of path: a literal segment, one that is a variable, one that has variables in it."""

    __slots__ = ("literals", "mixed", "path", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _TrieNode] = {}
        self.mixed: dict[str, tuple[re.Pattern[str], _TrieNode]] = {}
        self.variable: _TrieNode | None = None
        self.path: PathItem | None = None

    def add(self, segments: list[str], path: PathItem) -> None:
        if not segments:
            if self.path:
                raise ContractError(f"{path.template} and {self.path.template} are the same path; keep one.")
            self.path = path
            return
        segment, *rest = segments
        if _VARIABLE.fullmatch(segment):
            self.variable = self.variable or _TrieNode()
            self.variable.add(rest, path)
        elif _VARIABLE.search(segment):
            pieces = _VARIABLE.split(segment)
            pattern = "".join("(.+?)" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
            self.mixed.setdefault(pattern, (re.compile(pattern, re.DOTALL), _TrieNode()))[1].add(rest, path)
        else:
            self.literals.setdefault(segment, _TrieNode()).add(rest, path)

    def find(self, segments: list[str], position: int) -> tuple[PathItem | None, tuple[str, ...]]:
        if position == len(segments):
            return self.path, ()
        segment = segments[position]
        for values, node in self._candidates(segment):
            path, others = node.find(segments, position + 1)
            if path:
                return path, values + others
        return None, ()

    def _candidates(self, segment: str) -> Iterator[tuple[tuple[str, ...], "_TrieNode"]]:
        if segment in self.literals:
            yield (), self.literals[segment]
        for pattern, node in self.mixed.values():
            if match := pattern.fullmatch(segment):
                yield match.groups(), node
        if self.variable and segment:
            yield (segment,), self.variable
