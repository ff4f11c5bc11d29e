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
from accord.identity.passwords import PasswordHasher
from accord.identity.revocation_list import RevocationList
from db.columns import new_id, utc_now
from db.list_query import ListQuery, contains, filter_values, like_pattern
from db.models import User
from db.pagination import Page
from db.prepared import prepare
from db.rows import assign, flush_unique, load_deleted, load_live
from db.text import casefold
from db.unit_of_work import run_outside_transaction


def select_user(user: Any) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of users, from the table or an alias of a part of it."""
    return select(
        user.id,
        user.username,
        user.email,
        user.name,
        user.age,
        user.role,
        user.is_active,
        user.created_at,
        user.updated_at,
    )


_ADMIN = "admin"
_ACCESS = {"role": "role", "is_active": "is_active", "password_hash": "password"}
"""The attributes that a user's access depends on, and the members of the contract that change them."""
_UNIQUE = {
    "username": ("uq_users_username_key", User.username_key),
    "email": ("uq_users_email_key", User.email_key),
}
_USER = prepare(select_user(User).where(User.id == bindparam("id"), User.deleted_at.is_(None)))
_TEXTS = {"username": User.username_key, "email": User.email_key, "name": User.name_key}
_FILTERS = {
    **{name: contains(column) for name, column in _TEXTS.items()},
    "role": User.role,
    "is_active": User.is_active,
    "min_age": lambda age: User.age >= age,
    "max_age": lambda age: User.age <= age,
}
_USERS = ListQuery(User, select_user, _FILTERS, {"username": "username_key", "email": "email_key"})


def find(session: Session, *, sort: str, page: int, per_page: int, **filters: Any) -> Page:
    """Return page number *page* of the users that fit all filters."""
    values = {
        name: like_pattern(casefold(value)) if name in _TEXTS else value
        for name, value in filter_values(**filters).items()
    }
    return _USERS.page(session, values, {"sort": sort, **filters}, page=page, per_page=per_page)


def get(session: Session, owner: UUID | Everyone, user_id: UUID) -> dict[str, Any]:
    """Return the user; raises NotFound unless *owner*, the user that the caller may see, is this one or EVERYONE."""
    return require("user", _USER.first(session, id=user_id) if owned_by(user_id, owner) else None)


def create(session: Session, password_hasher: PasswordHasher, **members: Any) -> User:
    """Create a user; raises Conflict if the username or e-mail address is taken."""
    return _create(session, password_hasher, {"": members})[0]


def bulk_create(
    session: Session, password_hasher: PasswordHasher, users: Sequence[Mapping[str, Any]]
) -> dict[str, list[User]]:
    """Create a batch of users, all or none; raises Conflict with an error for each taken member."""
    return {"items": _create(session, password_hasher, {f"/{n}": members for n, members in enumerate(users)})}


def update(
    session: Session,
    password_hasher: PasswordHasher,
    revocation_list: RevocationList,
    caller_id: UUID,
    user_id: UUID,
    *,
    password: str | None = None,
    **changes: Any,
) -> User:
    """Change members of a user. A change of its access revokes the sessions. Raises NotFound, and Conflict."""
    if password is not None:
        changes["password_hash"] = run_outside_transaction(session, password_hasher.hash, password)
    user = _load(session, user_id)
    changed = [member for member in _ACCESS if changes.get(member, getattr(user, member)) != getattr(user, member)]
    if changed and user_id == caller_id:
        raise _own_access_conflict(changed)
    if _is_active_admin(user) and {"role", "is_active"}.intersection(changed):
        _require_another_admin(session, [user], pointer=f"/{changed[0]}")
    update_fields(session, user, **changes)
    if changed:
        sessions.revoke_all(session, revocation_list, user_id)
    return user


def update_fields(session: Session, user: User, **changes: Any) -> User:
    """Change members of a user without checks of the caller; raises Conflict if a unique member is taken."""
    assign(user, changes)
    _flush(session, {"": user})
    return user


def delete(session: Session, revocation_list: RevocationList, caller_id: UUID, user_id: UUID) -> None:
    """Delete the user, so that it can be restored; raises NotFound, and Conflict for the caller or the last admin."""
    _delete(session, revocation_list, caller_id, [_load(session, user_id)])


def bulk_delete(session: Session, revocation_list: RevocationList, caller_id: UUID, user_ids: Sequence[UUID]) -> None:
    """Delete all of these users, or none. Raises NotFound with an error for each missing id, and Conflict."""
    live = select(User).where(User.id.in_(user_ids), User.deleted_at.is_(None)).order_by(User.id)
    found = {user.id: user for user in session.scalars(live)}
    require_all("user", user_ids, found)
    _delete(session, revocation_list, caller_id, found.values())


def restore(session: Session, user_id: UUID) -> User:
    """Restore the deleted user; raises NotFound, and Conflict if a unique member is taken by now."""
    user = require("deleted user", load_deleted(session, User, user_id))
    user.deleted_at = None
    with without_pointers():
        _flush(session, {"": user})
    return user


def _load(session: Session, user_id: UUID) -> User:
    return require("user", load_live(session, User, user_id))


def _create(
    session: Session, password_hasher: PasswordHasher, members_by_pointer: Mapping[str, Mapping[str, Any]]
) -> list[User]:
    """Create users with these members, by the pointer to them in the body."""
    hashes = run_outside_transaction(
        session, password_hasher.hash_all, [members["password"] for members in members_by_pointer.values()]
    )
    users = {
        pointer: _build(password_hash, **members)
        for (pointer, members), password_hash in zip(members_by_pointer.items(), hashes, strict=True)
    }
    session.add_all(users.values())
    _flush(session, users)
    return list(users.values())


def _build(password_hash: str, *, password: str, **members: Any) -> User:
    return User(**{"id": new_id(), **members}, password_hash=password_hash)


def _delete(session: Session, revocation_list: RevocationList, caller_id: UUID, users: Collection[User]) -> None:
    if caller_id in {user.id for user in users}:
        raise Conflict("You cannot delete your own account.")
    if any(_is_active_admin(user) for user in users):
        _require_another_admin(session, users)
    for user in users:
        user.deleted_at = utc_now()
    session.flush()
    for user in users:
        sessions.revoke_all(session, revocation_list, user.id)


def _is_active_admin(user: User) -> bool:
    return user.role == _ADMIN and user.is_active


def _require_another_admin(session: Session, leaving: Collection[User], *, pointer: str | None = None) -> None:
    """Raise Conflict if all active admins are *leaving*; the admins are locked until the end of the transaction."""
    admins = session.scalars(
        select(User.id)
        .where(User.role == _ADMIN, User.is_active, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    if not set(admins) - {user.id for user in leaving}:
        raise Conflict("The last active admin cannot be removed.", pointer=pointer)


def _own_access_conflict(changed: Sequence[str]) -> Conflict:
    errors = [
        Conflict(f"You cannot change your own {_ACCESS[member]} here.", pointer=f"/{_ACCESS[member]}")
        for member in changed
    ]
    return Conflict(str(errors[0]), errors=errors)


def _flush(session: Session, users: Mapping[str, User]) -> None:
    """Flush users with their search columns; raises Conflict with an error for each taken member."""
    for user in users.values():
        user.username_key, user.email_key = casefold(user.username), casefold(user.email)
        user.name_key = None if user.name is None else casefold(user.name)
    flush_unique(session, users, _UNIQUE, partial(taken_conflict, "user"))
