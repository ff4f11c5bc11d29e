"""Errors of a contract, with file and line; they keep the program from starting."""

from typing import Any


class ContractError(Exception):
    """The contract is invalid or does not match the program. The program does not start."""


class SourceMapping(dict[str, Any]):
    """A mapping of the contract with its place in the YAML, `file:line`, and those of its keys."""

    place = "the contract"
    key_places: dict[str, str] = {}  # noqa: RUF012  # A mapping that the YAML loader made has its own.


def error_at(node: Any, message: str, key: str | None = None) -> ContractError:
    """Return a ContractError with *message*, preceded by the file and line of *node*, or of its *key*."""
    place = getattr(node, "place", SourceMapping.place)
    return ContractError(f"{getattr(node, 'key_places', {}).get(key, place)}: {message}")
