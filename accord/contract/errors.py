"""Errors of a contract, with file and line; they keep the program from starting."""

from typing import Any


class ContractError(Exception):
    """The contract is invalid or does not match the program. The program does not start."""


class SourceMapping(dict[str, Any]):
    """A mapping of the contract with its place in the YAML: `file:line`."""

    place = "the contract"


def error_at(node: Any, message: str) -> ContractError:
    """Return a ContractError with *message*, preceded by the file and line of *node*."""
    return ContractError(f"{getattr(node, 'place', SourceMapping.place)}: {message}")
