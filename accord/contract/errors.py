"""What keeps a contract from starting, told with file and line."""

from typing import Any


class ContractError(Exception):
    """The contract and the program do not fit, so the program does not start."""


class SourceMapping(dict[str, Any]):
    """A mapping of the contract that knows its file and line."""

    place = "the contract"


def error_at(node: Any, message: str) -> ContractError:
    """Return the error that *message* is wrong at the place of *node*."""
    return ContractError(f"{getattr(node, 'place', SourceMapping.place)}: {message}")
