"""
Reading of a document that is not validated yet, because it is completed before.

What is broken counts as empty, so that the validation reports it, with all other errors at once.
"""

from collections.abc import Callable
from typing import Any

from accord.contract.errors import ContractError


def mapping(value: Any) -> dict[str, Any]:
    """Return *value* if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def mapping_resolver(resolve: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that resolves references as *resolve* does, to a mapping in any case."""

    def resolve_mapping(node: Any) -> dict[str, Any]:
        try:
            return mapping(resolve(node))
        except ContractError:
            return {}

    return resolve_mapping
