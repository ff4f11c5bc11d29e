"""Sessions of users: a log-in starts one, refresh tokens prolong it, and revoking it ends all its tokens."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from accord.errors import NotFound, Unauthenticated
from accord.identity.access_tokens import AccessTokens
from accord.identity.revocation_list import RevocationList
from db import pagination, unit_of_work
from db.change_tracking import UNKNOWN, record_change
from db.columns import new_id, utc_now
from db.models import RefreshToken, User, UserSession
from db.pagination import Page
from db.prepared import prepare

_SCHEME = "Bearer"
_MAX_USER_AGENT_LENGTH = 200
_INVALID = "The refresh token is no longer valid."


@dataclass(frozen=True)
class TokenPair:
    """The response to a log-in or a refresh; `expires_in` is the lifetime of the access token in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    user: User
    token_type: str = _SCHEME


def start(session: Session, access_tokens: AccessTokens, user: User, user_agent: str | None = None) -> TokenPair:
    """Start a session of the user and return its tokens."""
    started = UserSession(
        id=new_id(),
        user_id=user.id,
        user_agent=user_agent[:_MAX_USER_AGENT_LENGTH] if user_agent else None,
        expires_at=utc_now() + access_tokens.refresh_lifetime,
    )
    session.add(started)
    session.flush()
    # The token has 256 random bits, so that a fast hash without salt is safe.
    refresh_token = secrets.token_urlsafe(32)
    _store(session, refresh_token, started.id, started.expires_at)
    return _token_pair(access_tokens, user, started.id, refresh_token)


def refresh(
    session: Session, access_tokens: AccessTokens, revocation_list: RevocationList, *, refresh_token: str
) -> TokenPair:
    """
    Return a new pair of tokens, and use up the refresh token. Raises Unauthenticated.

    A token that is presented twice has been stolen, so its session is revoked, although this unit of work fails. Within
    `refresh_grace` the same client may repeat a request whose response was lost, or that it sent twice at once, so
    that the same successor is returned as long as it is unused.
    """
    moment, token_hash, successor = utc_now(), _hash(refresh_token), access_tokens.successor(refresh_token)
    session_id = session.scalar(
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=moment)
        .returning(RefreshToken.session_id)
    )
    if session_id:
        expires_at = moment + access_tokens.refresh_lifetime
        user_id = session.scalar(
            update(UserSession)
            .where(UserSession.id == session_id, *_live_conditions(moment))
            .values(last_used_at=moment, expires_at=expires_at)
            .returning(UserSession.user_id)
        )
        record_change(session, UserSession, session_id, {"expires_at": (UNKNOWN, expires_at)})
        _store(session, successor, session_id, expires_at)
    else:
        # This changes nothing, so that many requests at once are not in conflict.
        session_id = _repeated_session(session, access_tokens, revocation_list, token_hash, _hash(successor))
        user_id = session.scalar(
            select(UserSession.user_id).where(UserSession.id == session_id, *_live_conditions(moment))
        )
    user = session.get(User, user_id) if user_id else None
    if user is None or not user.is_active or user.deleted_at:
        raise Unauthenticated(_INVALID)
    return _token_pair(access_tokens, user, session_id, successor)


def find(session: Session, user_id: UUID, current: UUID, *, page: int, per_page: int) -> Page:
    """Return a page of the user's live sessions, the last used first; `is_current` marks the *current* one."""
    values = {"user_id": user_id, "moment": utc_now()}
    items = _PAGE.all(session, **values, current=current, limit=per_page, offset=(page - 1) * per_page)
    total = _COUNT.all(session, **values)[0]["total"]
    return pagination.number_page(items, total=total, page=page, per_page=per_page, query={})


def revoke_own(session: Session, revocation_list: RevocationList, user_id: UUID, session_id: UUID) -> None:
    """Revoke the user's session; raises NotFound."""
    conditions = UserSession.user_id == user_id, UserSession.id == session_id
    if not _revoke(session, revocation_list, *conditions, *_live_conditions(utc_now())):
        raise NotFound("You have no session with this id.")


def revoke(session: Session, revocation_list: RevocationList, session_id: UUID) -> None:
    """Revoke a session of any user, which may have ended already."""
    _revoke(session, revocation_list, UserSession.id == session_id)


def revoke_all(session: Session, revocation_list: RevocationList, user_id: UUID, but: UUID | None = None) -> None:
    """Revoke all sessions of a user except *but*.

    Call it after the write that takes rights from the user. A log-in in between either sees that write, or its
    session is revoked here.
    """
    others = [UserSession.id != but] if but else []
    _revoke(session, revocation_list, UserSession.user_id == user_id, *others)


def revoked_since(session: Session, moment: datetime) -> Sequence[UUID]:
    """Return the ids of the sessions revoked since *moment*."""
    return [row["id"] for row in _REVOKED.all(session, moment=moment)]


def last_use(session: Session, session_id: UUID) -> datetime | None:
    """Return the time of the last log-in or refresh of a session."""
    return session.scalar(select(UserSession.last_used_at).where(UserSession.id == session_id))


_LIVE = (
    UserSession.user_id == bindparam("user_id"),
    UserSession.revoked_at.is_(None),
    UserSession.expires_at > bindparam("moment"),
)
_REVOKED = prepare(select(UserSession.id).where(UserSession.revoked_at >= bindparam("moment")))
_COUNT = prepare(select(func.count().label("total")).select_from(UserSession).where(*_LIVE))
_PAGE = prepare(
    select(
        UserSession.id,
        UserSession.user_agent,
        (UserSession.id == bindparam("current")).label("is_current"),
        UserSession.created_at,
        UserSession.last_used_at,
        UserSession.expires_at,
    )
    .where(*_LIVE)
    .order_by(UserSession.last_used_at.desc(), UserSession.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)


def _revoke(session: Session, revocation_list: RevocationList, *conditions: ColumnElement[bool]) -> Sequence[UUID]:
    """
    Revoke the sessions that meet the conditions, and return their ids.

    The time of revocation is not before the last use, also if the clock was set back in between. So the revocations
    within the lifetime of an access token include those of all tokens that have not expired.
    """
    moment = literal(utc_now(), UserSession.revoked_at.type)
    revoked = session.execute(
        update(UserSession)
        .where(UserSession.revoked_at.is_(None), *conditions)
        .values(revoked_at=case((UserSession.last_used_at > moment, UserSession.last_used_at), else_=moment))
        .returning(UserSession.id, UserSession.revoked_at)
    ).all()
    for session_id, revoked_at in revoked:
        record_change(session, UserSession, session_id, {"revoked_at": (None, revoked_at)})
    revoked_ids = [session_id for session_id, _ in revoked]
    unit_of_work.on_commit(session, revocation_list.add, revoked_ids)
    return revoked_ids


def _live_conditions(moment: datetime) -> tuple[ColumnElement[bool], ...]:
    return UserSession.revoked_at.is_(None), UserSession.expires_at > moment


def _repeated_session(
    session: Session,
    access_tokens: AccessTokens,
    revocation_list: RevocationList,
    token_hash: str,
    successor_hash: str,
) -> UUID:
    """Return the session of a refresh token that was used within the grace, and whose successor is unused.

    Raises Unauthenticated for another token, and revokes its session if it was used.
    """
    used = session.scalar(select(RefreshToken).where(RefreshToken.token_hash == token_hash))
    if used is None or used.used_at is None:
        raise Unauthenticated(_INVALID)
    session_id = used.session_id
    # The clock of another server may be ahead, but a clock that was set back does not make the grace longer.
    if abs(utc_now() - used.used_at) < access_tokens.refresh_grace:
        successor = session.get(RefreshToken, successor_hash)
        if successor is None:
            # The signing keys were rotated meanwhile, or another release issued the successor.
            raise Unauthenticated(_INVALID)
        if successor.used_at is None:
            return session_id
    unit_of_work.on_failure(session, lambda unit: revoke(unit, revocation_list, session_id))
    raise Unauthenticated(_INVALID)


def _store(session: Session, refresh_token: str, session_id: UUID, expires_at: datetime) -> None:
    session.add(RefreshToken(token_hash=_hash(refresh_token), session_id=session_id, expires_at=expires_at))
    session.flush()


def _token_pair(access_tokens: AccessTokens, user: User, session_id: UUID, refresh_token: str) -> TokenPair:
    return TokenPair(access_tokens.issue(user.id, session_id, user.role), access_tokens.expires_in, refresh_token, user)


def _hash(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()
