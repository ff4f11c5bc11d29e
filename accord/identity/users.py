"""Users. Usernames and e-mail addresses are unique, regardless of case."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from accord.errors import Conflict, require, require_all, taken_conflict, without_pointers
from accord.identity import sessions
from accord.identity.callers import Everyone, owned_by
from accord.identity.passwords import Passwords
from accord.identity.revocation_list import Revocations
from db.columns import new_id, now
from db.list_query import Listing, bound, containing, found_in
from db.models import User
from db.pagination import Page
from db.prepared import compiled
from db.rows import assign, flush_unique, load_deleted, load_live
from db.text import fold
from db.unit_of_work import beforehand


def _shown(user: Any) -> Select[*tuple[Any, ...]]:
    return select(user.id, user.username, user.email, user.name, user.age, user.role, user.is_active,
                  user.created_at, user.updated_at)  # fmt: skip


_ADMIN = "admin"
_ACCESS = {"role": "role", "is_active": "is_active", "password_hash": "password"}
"""The attributes that a user's access depends on, and the members of the contract that change them."""
_UNIQUE = {
    "username": ("uq_users_username_key", User.username_key),
    "email": ("uq_users_email_key", User.email_key),
}
_USER = compiled(_shown(User).where(User.id == bindparam("id"), User.deleted_at.is_(None)))
_TEXTS = {"username": User.username_key, "email": User.email_key, "name": User.name_key}
_FILTERS = {
    **{name: found_in(column) for name, column in _TEXTS.items()},
    "role": User.role,
    "is_active": User.is_active,
    "min_age": lambda age: User.age >= age,
    "max_age": lambda age: User.age <= age,
}
_USERS = Listing(User, _shown, _FILTERS, {"username": "username_key", "email": "email_key"})


def find(session: Session, *, sort: str, page: int, per_page: int, **filters: Any) -> Page:
    """Return page number *page* of the users that fit all filters."""
    values = {name: containing(fold(value)) if name in _TEXTS else value for name, value in bound(**filters).items()}
    return _USERS.numbered(session, values, {"sort": sort, **filters}, page=page, per_page=per_page)


def get(session: Session, owner: UUID | Everyone, user_id: UUID) -> dict[str, Any]:
    """Return the user; raises NotFound unless *owner*, the user that the caller may see, is this one or EVERYONE."""
    return require("user", _USER.first(session, id=user_id) if owned_by(user_id, owner) else None)


def create(session: Session, passwords: Passwords, **members: Any) -> User:
    """Create a user; raises Conflict if the username or e-mail address is taken."""
    return _create(session, passwords, {"": members})[0]


def create_all(session: Session, passwords: Passwords, users: Sequence[Mapping[str, Any]]) -> dict[str, list[User]]:
    """Create a batch of users, all or none; raises Conflict with an error for each taken member."""
    return {"items": _create(session, passwords, {f"/{n}": members for n, members in enumerate(users)})}


def update(
    session: Session, passwords: Passwords, revocations: Revocations, caller_id: UUID, user_id: UUID,
    *, password: str | None = None, **changes: Any,
) -> User:  # fmt: skip
    """Change members of a user; a change of access revokes the sessions. Raises NotFound, and Conflict."""
    if password is not None:
        changes["password_hash"] = beforehand(session, passwords.hash, password)
    user = _load(session, user_id)
    changed = [member for member in _ACCESS if changes.get(member, getattr(user, member)) != getattr(user, member)]
    if changed and user_id == caller_id:
        raise _own(changed)
    if _is_active_admin(user) and {"role", "is_active"}.intersection(changed):
        _keep_an_admin(session, [user], pointer=f"/{changed[0]}")
    change(session, user, **changes)
    if changed:
        sessions.revoke_all(session, revocations, user_id)
    return user


def change(session: Session, user: User, **changes: Any) -> User:
    """Change members of a user without checks of the caller; raises Conflict if a unique member is taken."""
    assign(user, changes)
    _flush(session, {"": user})
    return user


def delete(session: Session, revocations: Revocations, caller_id: UUID, user_id: UUID) -> None:
    """Delete the user, so that it can be restored; raises NotFound, and Conflict for the caller or the last admin."""
    _delete(session, revocations, caller_id, [_load(session, user_id)])


def delete_all(session: Session, revocations: Revocations, caller_id: UUID, user_ids: Sequence[UUID]) -> None:
    """Delete all of these users, or none; raises NotFound that names each missing id, and Conflict."""
    live = select(User).where(User.id.in_(user_ids), User.deleted_at.is_(None)).order_by(User.id)
    found = {user.id: user for user in session.scalars(live)}
    require_all("user", user_ids, found)
    _delete(session, revocations, caller_id, found.values())


def restore(session: Session, user_id: UUID) -> User:
    """Restore the deleted user; raises NotFound, and Conflict if a unique member is taken by now."""
    user = require("deleted user", load_deleted(session, User, user_id))
    user.deleted_at = None
    with without_pointers():
        _flush(session, {"": user})
    return user


def _load(session: Session, user_id: UUID) -> User:
    return require("user", load_live(session, User, user_id))


def _create(session: Session, passwords: Passwords, wanted: Mapping[str, Mapping[str, Any]]) -> list[User]:
    """Create users; *wanted* has the members of each user, by the pointer to them in the body."""
    hashes = beforehand(session, passwords.hash_all, [members["password"] for members in wanted.values()])
    users = {
        pointer: _new(password_hash, **members)
        for (pointer, members), password_hash in zip(wanted.items(), hashes, strict=True)
    }
    session.add_all(users.values())
    _flush(session, users)
    return list(users.values())


def _new(password_hash: str, *, password: str, **members: Any) -> User:
    return User(id=new_id(), password_hash=password_hash, **members)


def _delete(session: Session, revocations: Revocations, caller_id: UUID, users: Collection[User]) -> None:
    if caller_id in {user.id for user in users}:
        raise Conflict("You cannot delete your own account.")
    if any(_is_active_admin(user) for user in users):
        _keep_an_admin(session, users)
    for user in users:
        user.deleted_at = now()
    session.flush()
    for user in users:
        sessions.revoke_all(session, revocations, user.id)


def _is_active_admin(user: User) -> bool:
    return user.role == _ADMIN and user.is_active


def _keep_an_admin(session: Session, leaving: Collection[User], *, pointer: str | None = None) -> None:
    """Raise Conflict if all active admins are *leaving*; the admins are locked until the end of the transaction."""
    admins = session.scalars(
        select(User.id)
        .where(User.role == _ADMIN, User.is_active, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    if not set(admins) - {user.id for user in leaving}:
        raise Conflict("The last active admin cannot be removed.", pointer=pointer)


def _own(changed: Sequence[str]) -> Conflict:
    faults = [
        Conflict(f"You cannot change your own {_ACCESS[member]} here.", pointer=f"/{_ACCESS[member]}")
        for member in changed
    ]
    return Conflict(str(faults[0]), each=faults)


def _flush(session: Session, users: Mapping[str, User]) -> None:
    """Flush users with their search columns; raises Conflict with an error for each taken member."""
    for user in users.values():
        user.username_key, user.email_key = fold(user.username), fold(user.email)
        user.name_key = None if user.name is None else fold(user.name)
    flush_unique(session, users, _UNIQUE, partial(taken_conflict, "user"))
