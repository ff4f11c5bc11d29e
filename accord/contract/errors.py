"""Errors of a contract, with file and line; they keep the program from starting."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self


class ContractError(Exception):
    """The contract is invalid or does not match the program. The program does not start."""


class SourceMapping(dict[str, Any]):
    """A mapping of the contract with its place in the YAML, `file:line`, and the lines of its keys."""

    place = "the contract"
    lines: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def at(cls, node: Any, members: Mapping[str, Any]) -> Self:
        """Return a mapping of *members* that has the place of *node* in error messages."""
        mapping = cls(members)
        mapping.place = getattr(node, "place", cls.place)
        mapping.lines = getattr(node, "lines", cls.lines)
        return mapping


def error_at(node: Any, message: str, key: str | None = None) -> ContractError:
    """Return a ContractError with *message*, preceded by the file and line of *node*, or of its *key*."""
    place = getattr(node, "place", SourceMapping.place)
    if key is not None and (line := getattr(node, "lines", {}).get(key)):
        place = f"{place.rpartition(':')[0]}:{line}"
    return ContractError(f"{place}: {message}")
