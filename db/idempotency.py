"""Keys that callers send with what they ask for, and the answers that repetitions get."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.columns import utc_now
from db.errors import RequestInProgress, is_lock_timeout
from db.models import IdempotencyKey
from db.prepared import prepare


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer to the first request with a key, and what that request was."""

    fingerprint: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyStore:
    """
    Keys, kept for a lifetime in the very transaction of the effect they stand for.

    A key whose transaction fails is free again.
    """

    lifetime: timedelta

    def claim(
        self, session: Session, *, caller: str, operation: str, key: str, fingerprint: str
    ) -> StoredResponse | None:
        """
        Claim the key, or return what was kept for it.

        While another transaction has it claimed, this waits for its answer; raises InFlight when
        that takes too long.
        """
        name = {"caller": caller, "operation": operation, "key": key}
        at = utc_now()
        try:
            claimed = _CLAIMS[session.get_bind().dialect.name].first(
                session, **name, fingerprint=fingerprint, created_at=at, expired_at=at - self.lifetime
            )
        except Exception as error:
            if is_lock_timeout(error):
                raise RequestInProgress("Another request with this key is still being worked on.") from error
            raise
        if claimed:
            return None
        kept = _FIND.first(session, **{f"of_{part}": value for part, value in name.items()})
        if kept is None or kept["status"] is None:
            raise RequestInProgress("Another request with this key is still being worked on.")
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
        """Keep the answer to the request that claimed the key in this session."""
        _SAVE.execute(
            session, of_caller=caller, of_operation=operation, of_key=key, status=status, headers=headers, body=body
        )

    def purge(self, session: Session) -> None:
        """Delete the keys whose lifetime is over."""
        _PURGE.execute(session, expired_at=utc_now() - self.lifetime)


_C = IdempotencyKey.__table__.c
_NAME = (_C.caller, _C.operation, _C.key)
_THIS_ONE = [column == bindparam(f"of_{column.name}") for column in _NAME]


def _claim_with(insert: postgresql.Insert | sqlite.Insert) -> prepare:
    fresh = {"fingerprint": insert.excluded.fingerprint, "created_at": insert.excluded.created_at}
    return prepare(
        insert.on_conflict_do_update(
            index_elements=_NAME,
            set_=fresh | {"status": None, "headers": None, "body": None},
            where=_C.created_at < bindparam("expired_at"),
        ).returning(_C.key),
        values=("caller", "operation", "key", "fingerprint", "created_at"),
    )


_CLAIMS = {
    "postgresql": _claim_with(postgresql.insert(IdempotencyKey)),
    "sqlite": _claim_with(sqlite.insert(IdempotencyKey)),
}
_FIND = prepare(select(_C.fingerprint, _C.status, _C.headers, _C.body).where(*_THIS_ONE))
_SAVE = prepare(update(IdempotencyKey).where(*_THIS_ONE), values=("status", "headers", "body"))
_PURGE = prepare(delete(IdempotencyKey).where(_C.created_at < bindparam("expired_at")))
