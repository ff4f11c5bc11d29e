"""The audit log: who changed what, written in the transaction of the change."""

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from db.change_tracking import UNKNOWN
from db.columns import utc_now
from db.models import AuditEvent
from db.prepared import prepare
from db.session import Change, Pair, UnitOfWorkSession

_MAX_TEXT_LENGTH = 200
_MAX_LIST_LENGTH = 100


def track(session: Session, *, actor: UUID | None, operation: str, request_id: str) -> None:
    """Write an audit event at commit for each changed object; raises TypeError for a session outside a unit."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so its changes cannot be recorded.")
    session.before_commit = partial(_record, actor_id=actor, action=operation, request_id=request_id)


def _record(session: UnitOfWorkSession, **by: Any) -> None:
    by["at"] = utc_now()
    events = [
        {**by, "object_type": table, "object_id": object_id, "changes": members}
        for (table, object_id), members in _merged(session.changes).items()
        if members
    ]
    match events:
        case []:
            pass
        case [event]:
            _RECORD.execute(session, **event)
        case _:
            session.execute(_INSERT, events)


def _merged(changes: list[Change]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the changed members of each object, by its table and id: the first old value and the last new one."""
    merged: dict[tuple[str, str], dict[str, Pair]] = {}
    for change in changes:
        members = merged.setdefault((change.table, str(change.id)), {})
        for name, (old, new) in change.members.items():
            members[name] = members.get(name, (old, new))[0], new
    return {
        whose: {
            name: _describe_change(old, new) for name, (old, new) in members.items() if old is UNKNOWN or old != new
        }
        for whose, members in merged.items()
    }


def _describe_change(old: Any, new: Any) -> dict[str, Any]:
    if new is UNKNOWN:
        return {}
    return {"to": _to_json(new)} if old is UNKNOWN else {"from": _to_json(old), "to": _to_json(new)}


def _to_json(value: Any) -> Any:
    match value:
        case str():
            return _cut(value)
        case None | bool() | int() | float() | date():
            return value
        case Decimal():
            return format(value, "f")
        case list():
            return [_cut(str(item)) for item in value[:_MAX_LIST_LENGTH]]
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_LENGTH else text[: _MAX_TEXT_LENGTH - 1] + "…"


_INSERT = insert(AuditEvent)
_RECORD = prepare(_INSERT, values=[column.name for column in AuditEvent.__table__.c if column.name != "id"])
