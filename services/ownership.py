"""Whose objects somebody sees: what is not theirs is not there for them."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.compiled import compiled
from db.models import User
from services.errors import NotFound
from services.tokens import Caller

_USER = compiled(select(User.id).where(User.id == bindparam("id"), User.deleted_at.is_(None)))


def only_of(caller: Caller, everybody: str) -> UUID | None:
    """Return the one owner whose objects *caller* sees; None for all, which the scope *everybody* opens."""
    return None if everybody in caller.scopes else caller.id


def of_user(session: Session, caller: Caller, everybody: str, user_id: UUID) -> UUID:
    """Return *user_id*, if there is this user and *caller* sees their objects; raises NotFound otherwise."""
    if only_of(caller, everybody) not in (None, user_id) or _USER.first(session, id=user_id) is None:
        raise NotFound("There is no user with this id.")
    return user_id
