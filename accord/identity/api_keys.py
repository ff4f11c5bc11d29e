"""API keys, with which programs authenticate. A key acts for its owner, within the scopes of the owner."""

import secrets
from base64 import b32encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy import update as update_rows
from sqlalchemy.orm import Session

from accord.errors import Invalid, NotFound
from accord.identity.api_key_cache import USE_RECORDED_EVERY, ApiKeyCache, hash_of
from accord.identity.callers import Caller
from db import unit_of_work
from db.columns import utc_now
from db.list_query import ListQuery
from db.models import ApiKey, User
from db.pagination import Page
from db.prepared import prepare
from db.rows import assign, load_live

_MEMBERS = ("id", "name", "prefix", "scopes", "expires_at", "last_used_at", "created_at", "updated_at")


def _select_api_key(key: Any) -> Select[*tuple[Any, ...]]:
    return select(*(getattr(key, member) for member in _MEMBERS))


_API_KEYS = ListQuery(ApiKey, _select_api_key, {"owner": ApiKey.owner_id})
_BY_PREFIX = prepare(
    select(
        ApiKey.id,
        ApiKey.key_hash,
        ApiKey.previous_hash,
        ApiKey.previous_until,
        ApiKey.scopes,
        ApiKey.expires_at,
        ApiKey.last_used_at,
        ApiKey.owner_id,
        User.role,
    )
    .join(User, User.id == ApiKey.owner_id)
    .where(ApiKey.prefix == bindparam("prefix"), User.is_active, User.deleted_at.is_(None))
)
_RECORD_USE = prepare(
    update_rows(ApiKey)
    .where(ApiKey.id == bindparam("of_id"))
    .where(or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= bindparam("before")))
    .values(last_used_at=bindparam("moment"), updated_at=ApiKey.updated_at)
)


def find(session: Session, owner_id: UUID, *, page: int, per_page: int) -> Page:
    """Return page number *page* of the owner's keys."""
    return _API_KEYS.page(session, {"owner": owner_id}, {}, page=page, per_page=per_page)


def get(session: Session, owner_id: UUID, key_id: UUID) -> ApiKey:
    """Return the owner's key; raises NotFound."""
    key = load_live(session, ApiKey, key_id)
    if key is None or key.owner_id != owner_id:
        raise NotFound("You have no API key with this id.")
    return key


def create(
    session: Session, creator: Caller, *, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> dict[str, Any]:
    """Return a new key with its secret in `key`; raises Invalid for scopes the creator lacks, or a past expiry."""
    errors = [
        Invalid(f"You do not have the scope {scope}.", pointer=f"/scopes/{n}")
        for n, scope in enumerate(scopes)
        if scope not in creator.scopes
    ]
    if errors:
        raise Invalid("An API key cannot have scopes that its creator lacks.", errors=errors)
    if expires_at is not None and expires_at <= utc_now():
        raise Invalid("The time is in the past.", pointer="/expires_at")
    key = ApiKey(owner_id=creator.id, name=name, scopes=scopes, expires_at=expires_at, prefix=_new_prefix())
    session.add(key)
    return _issue(session, key)


def update(session: Session, api_key_cache: ApiKeyCache, owner_id: UUID, key_id: UUID, **changes: Any) -> ApiKey:
    """Change `name` and `expires_at` of a key; raises NotFound, and Invalid for a later expiry than before."""
    key = get(session, owner_id, key_id)
    expires_at = changes.get("expires_at", key.expires_at)
    if key.expires_at is not None and (expires_at is None or expires_at > key.expires_at):
        raise Invalid(
            "The expiry of an API key cannot be moved to a later time. Create a new key.", pointer="/expires_at"
        )
    assign(key, changes)
    session.flush()
    unit_of_work.on_commit(session, api_key_cache.clear)
    return key


def rotate(
    session: Session, api_key_cache: ApiKeyCache, owner_id: UUID, key_id: UUID, *, overlap_seconds: int
) -> dict[str, Any]:
    """Return the key with a new secret in `key`; the previous one stays valid for the overlap. Raises NotFound."""
    key = get(session, owner_id, key_id)
    key.previous_hash, key.previous_until = None, None
    if overlap_seconds:
        key.previous_hash, key.previous_until = key.key_hash, utc_now() + timedelta(seconds=overlap_seconds)
    unit_of_work.on_commit(session, api_key_cache.clear)
    return _issue(session, key)


def delete(session: Session, api_key_cache: ApiKeyCache, owner_id: UUID, key_id: UUID) -> None:
    """Delete the owner's key; raises NotFound."""
    session.delete(get(session, owner_id, key_id))
    session.flush()
    unit_of_work.on_commit(session, api_key_cache.clear)


def find_by_prefix(session: Session, prefix: str) -> dict[str, Any] | None:
    """Return the row of the key with this prefix; None if there is no such key or its owner is not active."""
    return _BY_PREFIX.first(session, prefix=prefix)


def record_use(session: Session, key_id: UUID) -> None:
    """Record the use of a key at most once a minute. The key gets no new version."""
    moment = utc_now()
    _RECORD_USE.execute(session, of_id=key_id, moment=moment, before=moment - USE_RECORDED_EVERY)


def _issue(session: Session, key: ApiKey) -> dict[str, Any]:
    """Give the key a new secret, flush it, and return its members with the secret in `key`."""
    secret = f"{key.prefix}_{secrets.token_urlsafe(32)}"
    key.key_hash = hash_of(secret)
    session.flush()
    return {member: getattr(key, member) for member in _MEMBERS} | {"key": secret}


def _new_prefix() -> str:
    return f"ak_{b32encode(secrets.token_bytes(8)).decode()[:12].lower()}"
