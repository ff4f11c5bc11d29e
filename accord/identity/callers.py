"""Callers, and the visibility of rows by owner. Rows of other owners do not exist for a caller."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated user of a request and its scopes; `session_id` is None for a request with an API key."""

    id: UUID
    session_id: UUID | None
    role: str
    scopes: frozenset[str]
    api_key_id: UUID | None = None


class Everyone(Enum):
    """The type of `EVERYONE`, which stands for all owners where a function takes one owner's id or all."""

    EVERYONE = auto()


EVERYONE: Final = Everyone.EVERYONE


def visible_owner(caller: Caller, scope: str) -> UUID | Everyone:
    """Return the owner whose rows *caller* may see: the caller alone, or EVERYONE if the caller has *scope*."""
    return EVERYONE if scope in caller.scopes else caller.id


def owned_by(owner_id: UUID, owner: UUID | Everyone) -> bool:
    """Return whether a row whose owner is *owner_id* belongs to *owner*; raises TypeError for None."""
    return owner is EVERYONE or _require_owner_id(owner) == owner_id


def owner_filter(name: str, owner: UUID | Everyone) -> dict[str, UUID]:
    """Return the value of the list filter *name* that leaves the rows of *owner*; raises TypeError for None."""
    return {} if owner is EVERYONE else {name: _require_owner_id(owner)}


def _require_owner_id(owner: UUID | Everyone) -> UUID:
    # Untyped callers could pass None, which must neither open all rows nor look like an owner without rows.
    if not isinstance(owner, UUID):
        raise TypeError(f"The owner of rows is a UUID or EVERYONE, not {owner!r}.")
    return owner
