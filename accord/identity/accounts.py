"""Accounts: registration, log-in, and changes of one's own user."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from accord.errors import Conflict, Invalid, Unauthenticated
from accord.identity import sessions, users
from accord.identity.access_tokens import AccessTokens
from accord.identity.callers import Caller
from accord.identity.passwords import PasswordHasher
from accord.identity.revocation_list import RevocationList
from accord.identity.sessions import TokenPair
from db.change_tracking import record_change
from db.models import User
from db.prepared import prepare
from db.text import casefold

_ROLE_OF_NEW_USERS = "customer"
_CLOSED = "The account is closed."
_ACCOUNT = prepare(
    users.select_user(User).where(User.id == bindparam("id"), User.deleted_at.is_(None), User.is_active.is_(True))
)


def register(
    session: Session,
    password_hasher: PasswordHasher,
    *,
    username: str,
    email: str,
    password: str,
    name: str | None = None,
    age: int | None = None,
) -> User:
    """Create a user with the role customer. Raises Conflict if a unique member is taken, after the same time."""
    members = {"username": username, "email": email, "password": password, "name": name, "age": age}
    return users.create(session, password_hasher, **members, role=_ROLE_OF_NEW_USERS)


def log_in(
    session: Session,
    password_hasher: PasswordHasher,
    access_tokens: AccessTokens,
    *,
    username: str,
    password: str,
    user_agent: str | None,
) -> TokenPair:
    """Start a session; raises Unauthenticated, with the same message and timing for every cause."""
    found = session.execute(
        select(User.id, User.password_hash).where(User.username_key == casefold(username), User.deleted_at.is_(None))
    ).first()
    # Hashing is slow, so it must hold no connection and no lock.
    session.rollback()
    is_correct = password_hasher.verify(password, found.password_hash if found else None)
    if not found or not is_correct:
        raise Unauthenticated("The username or the password is wrong.")
    renewed = (
        password_hasher.hash(password) if password_hasher.needs_rehash(found.password_hash) else found.password_hash
    )
    user = _lock(session, found.id, found.password_hash)
    if not user:
        raise Unauthenticated("The username or the password is wrong.")
    if renewed != user.password_hash:
        # A rehash is no visible change, so version and time of change stay.
        session.execute(
            update(User).where(User.id == user.id).values(password_hash=renewed, updated_at=User.updated_at)
        )
        record_change(session, User, user.id, {"password_hash": (found.password_hash, renewed)})
    return sessions.start(session, access_tokens, user, user_agent)


def get_profile(session: Session, user_id: UUID) -> dict[str, Any]:
    """Return what a caller may see of its user; raises Unauthenticated as `get` does."""
    user = _ACCOUNT.first(session, id=user_id)
    if user is None:
        raise Unauthenticated(_CLOSED)
    return user


def get(session: Session, user_id: UUID) -> User:
    """Return the user of a caller; raises Unauthenticated if the account was closed after the token was issued."""
    user = session.get(User, user_id)
    if user is None or user.deleted_at or not user.is_active:
        raise Unauthenticated(_CLOSED)
    return user


def update_profile(session: Session, user_id: UUID, **changes: Any) -> User:
    """Change `name`, `age` or `email`; raises Conflict if the address is taken, Unauthenticated as `get` does."""
    return users.update_fields(session, get(session, user_id), **changes)


def change_password(
    session: Session,
    password_hasher: PasswordHasher,
    revocation_list: RevocationList,
    caller: Caller,
    *,
    current_password: str,
    new_password: str,
) -> None:
    """Set a new password, and end all other sessions; raises Invalid for a wrong current password, and Conflict."""
    known_hash = get(session, caller.id).password_hash
    session.rollback()
    if not password_hasher.verify(current_password, known_hash):
        raise Invalid("The current password is wrong.", pointer="/current_password")
    new_hash = password_hasher.hash(new_password)
    user = _lock(session, caller.id, known_hash)
    if not user:
        raise Conflict("The account was changed by another request. Try again.")
    user.password_hash = new_hash
    session.flush()
    sessions.revoke_all(session, revocation_list, caller.id, but=caller.session_id)


def _lock(session: Session, user_id: UUID, password_hash: str) -> User | None:
    """Lock the user until the end of the transaction, and return it; None if it is closed or its password changed."""
    user = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if user is None or user.deleted_at or not user.is_active or user.password_hash != password_hash:
        return None
    return user
