"""Accounts: how somebody becomes a user, comes in, and changes what is theirs to change."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accord.errors import Conflict, Invalid, Unauthenticated
from accord.identity import sessions, users
from accord.identity.access_tokens import Caller, Tokens
from accord.identity.passwords import Passwords
from accord.identity.revocation_list import Revocations
from accord.identity.sessions import TokenPair
from db.change_tracking import noted
from db.models import User
from db.text import fold

_ROLE_OF_NEW_USERS = "customer"


def register(
    session: Session,
    passwords: Passwords,
    *,
    username: str,
    email: str,
    password: str,
    name: str | None = None,
    age: int | None = None,
) -> User:
    """A new customer. That a name is taken costs as much time to find out as to take it."""
    members = {"username": username, "email": email, "password": password, "name": name, "age": age}
    return users.create(session, passwords, **members, role=_ROLE_OF_NEW_USERS)


def log_in(
    session: Session, passwords: Passwords, tokens: Tokens, *, username: str, password: str, user_agent: str | None
) -> TokenPair:
    """A new session; the refusal is the same, and takes as long, whatever is wrong."""
    found = session.execute(
        select(User.id, User.password_hash).where(User.username_key == fold(username), User.deleted_at.is_(None))
    ).first()
    # What is slow holds no connection, and no lock.
    session.rollback()
    fits = passwords.fits(password, found.password_hash if found else None)
    if not found or not fits:
        raise Unauthenticated("The username or the password is wrong.")
    renewed = passwords.hash(password) if passwords.is_outdated(found.password_hash) else found.password_hash
    user = _lock(session, found.id, found.password_hash)
    if not user:
        raise Unauthenticated("The username or the password is wrong.")
    if renewed != user.password_hash:
        # Not a change that anybody is to see, so neither version nor time of change move.
        session.execute(
            update(User).where(User.id == user.id).values(password_hash=renewed, updated_at=User.updated_at)
        )
        noted(session, User, user.id, {"password_hash": (found.password_hash, renewed)})
    return sessions.start(session, tokens, user, user_agent)


def get(session: Session, user_id: UUID) -> User:
    """The account of a caller, whose token may be older than the end of the account."""
    user = session.get(User, user_id)
    if user is None or user.deleted_at or not user.is_active:
        raise Unauthenticated("The account is closed.")
    return user


def change(session: Session, user_id: UUID, **changes: Any) -> User:
    """The account with some of `name`, `age` and `email` changed."""
    return users.change(session, get(session, user_id), **changes)


def change_password(
    session: Session,
    passwords: Passwords,
    revocations: Revocations,
    caller: Caller,
    *,
    current_password: str,
    new_password: str,
) -> None:
    """Set a new password; every other session of the user ends."""
    known_hash = get(session, caller.id).password_hash
    session.rollback()
    if not passwords.fits(current_password, known_hash):
        raise Invalid("The current password is wrong.", pointer="/current_password")
    new_hash = passwords.hash(new_password)
    user = _lock(session, caller.id, known_hash)
    if not user:
        raise Conflict("The account was changed by another request. Try again.")
    user.password_hash = new_hash
    session.flush()
    sessions.revoke_all(session, revocations, caller.id, but=caller.session_id)


def _lock(session: Session, user_id: UUID, password_hash: str) -> User | None:
    """The user, kept from changing till the end of the transaction; none if they may not come in with this any more."""
    user = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if user is None or user.deleted_at or not user.is_active or user.password_hash != password_hash:
        return None
    return user
