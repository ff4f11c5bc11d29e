"""Idempotency keys of requests, and the stored responses that repetitions of a request get."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from db.columns import utc_now
from db.errors import RequestInProgress, is_lock_timeout
from db.expressions import upsert
from db.models import IdempotencyKey
from db.prepared import prepare


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The response to the first request with a key, and the fingerprint of that request."""

    fingerprint: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyStore:
    """
    The store of idempotency keys. A key is written in the transaction of its request, and stored for `lifetime`.

    A key whose transaction fails is free again.
    """

    lifetime: timedelta

    def claim(
        self, session: Session, *, caller: str, operation: str, key: str, fingerprint: str
    ) -> StoredResponse | None:
        """
        Claim the key and return None, or return the response that is stored for it.

        While another transaction has claimed the key, this waits for its end; raises InFlight when
        that takes too long.
        """
        name = {"caller": caller, "operation": operation, "key": key}
        at = utc_now()
        try:
            claimed = _CLAIM.first(
                session, **name, fingerprint=fingerprint, created_at=at, expired_at=at - self.lifetime
            )
        except Exception as error:
            if is_lock_timeout(error):
                raise RequestInProgress("Another request with this Idempotency-Key is in progress.") from error
            raise
        if claimed:
            return None
        kept = _FIND.first(session, **{f"of_{part}": value for part, value in name.items()})
        if kept is None or kept["status"] is None:
            raise RequestInProgress("Another request with this Idempotency-Key is in progress.")
        return StoredResponse(kept["fingerprint"], kept["status"], [(k, v) for k, v in kept["headers"]], kept["body"])

    def save(
        self,
        session: Session,
        *,
        caller: str,
        operation: str,
        key: str,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None:
        """Store the response to the request that claimed the key in this session."""
        _SAVE.execute(
            session, of_caller=caller, of_operation=operation, of_key=key, status=status, headers=headers, body=body
        )

    def purge(self, session: Session) -> None:
        """Delete the expired keys."""
        _PURGE.execute(session, expired_at=utc_now() - self.lifetime)


_C = IdempotencyKey.__table__.c
_NAME = (_C.caller, _C.operation, _C.key)
_THIS_ONE = [column == bindparam(f"of_{column.name}") for column in _NAME]


_INSERT = upsert(IdempotencyKey)
_CLAIM = prepare(
    _INSERT.on_conflict_do_update(
        index_elements=_NAME,
        set_={
            "fingerprint": _INSERT.excluded.fingerprint,
            "created_at": _INSERT.excluded.created_at,
            "status": None,
            "headers": None,
            "body": None,
        },
        where=_C.created_at < bindparam("expired_at"),
    ).returning(_C.key),
    values=("caller", "operation", "key", "fingerprint", "created_at"),
)
_FIND = prepare(select(_C.fingerprint, _C.status, _C.headers, _C.body).where(*_THIS_ONE))
_SAVE = prepare(update(IdempotencyKey).where(*_THIS_ONE), values=("status", "headers", "body"))
_PURGE = prepare(delete(IdempotencyKey).where(_C.created_at < bindparam("expired_at")))
