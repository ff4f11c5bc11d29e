"""Idempotency keys of requests, and the stored responses for repeated requests."""

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

    A rollback of that transaction frees the key.
    """

    lifetime: timedelta

    def claim(
        self, session: Session, *, caller: str, operation: str, key: str, fingerprint: str
    ) -> StoredResponse | None:
        """
        Claim the key and return None, or return the response that is stored for it.

        While another transaction has claimed the key, this waits for its end. Raises RequestInProgress if that takes
        too long.
        """
        identity = {"caller": caller, "operation": operation, "key": key}
        now = utc_now()
        try:
            claimed = _CLAIM.first(
                session, **identity, fingerprint=fingerprint, created_at=now, expired_at=now - self.lifetime
            )
        except Exception as error:
            if is_lock_timeout(error):
                raise RequestInProgress("Another request with this Idempotency-Key is in progress.") from error
            raise
        if claimed:
            return None
        row = _FIND.first(session, **{f"of_{name}": value for name, value in identity.items()})
        if row is None or row["status"] is None:
            raise RequestInProgress("Another request with this Idempotency-Key is in progress.")
        headers = [(name, value) for name, value in row["headers"]]
        return StoredResponse(row["fingerprint"], row["status"], headers, row["body"])

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
        identity = {"of_caller": caller, "of_operation": operation, "of_key": key}
        _SAVE.execute_later(session, [{**identity, "status": status, "headers": headers, "body": body}])

    def purge(self, session: Session) -> None:
        """Delete the expired keys."""
        _PURGE.execute(session, expired_at=utc_now() - self.lifetime)


_C = IdempotencyKey.__table__.c
_IDENTITY = (_C.caller, _C.operation, _C.key)
_HAS_IDENTITY = [column == bindparam(f"of_{column.name}") for column in _IDENTITY]


_INSERT = upsert(IdempotencyKey)
_CLAIM = prepare(
    _INSERT.on_conflict_do_update(
        index_elements=_IDENTITY,
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
_FIND = prepare(select(_C.fingerprint, _C.status, _C.headers, _C.body).where(*_HAS_IDENTITY))
_SAVE = prepare(update(IdempotencyKey).where(*_HAS_IDENTITY), values=("status", "headers", "body"))
_PURGE = prepare(delete(IdempotencyKey).where(_C.created_at < bindparam("expired_at")))
