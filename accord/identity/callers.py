"""Whose objects somebody sees: what is not theirs is not there for them."""

from uuid import UUID

from accord.identity.access_tokens import Caller


def visible_owner(caller: Caller, everybody: str) -> UUID | None:
    """Return the one owner whose objects *caller* sees; None for all, which the scope *everybody* opens."""
    return None if everybody in caller.scopes else caller.id
