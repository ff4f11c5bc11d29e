"""Which owner's rows a caller may see: for the caller, the rows of other owners do not exist."""

from enum import Enum, auto
from typing import Final
from uuid import UUID

from accord.identity.access_tokens import Caller


class Everyone(Enum):
    """The type of `EVERYONE`, which stands for all owners where a function takes one owner's id or all."""

    EVERYONE = auto()


EVERYONE: Final = Everyone.EVERYONE


def visible_owner(caller: Caller, scope: str) -> UUID | Everyone:
    """Return the owner whose rows *caller* may see: the caller alone, or EVERYONE if the caller has *scope*."""
    return EVERYONE if scope in caller.scopes else caller.id


def owned_by(owner_id: UUID, owner: UUID | Everyone) -> bool:
    """Return whether a row whose owner is *owner_id* belongs to *owner*; raises TypeError for None."""
    return owner is EVERYONE or _checked(owner) == owner_id


def owner_filter(name: str, owner: UUID | Everyone) -> dict[str, UUID]:
    """Return the value of the list filter *name* that leaves the rows of *owner*; raises TypeError for None."""
    return {} if owner is EVERYONE else {name: _checked(owner)}


def _checked(owner: UUID | Everyone) -> UUID:
    # Untyped callers could pass None, which must neither open all rows nor look like an owner without rows.
    if not isinstance(owner, UUID):
        raise TypeError(f"The owner of rows is a UUID or EVERYONE, not {owner!r}.")
    return owner
