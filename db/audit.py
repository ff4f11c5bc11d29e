"""The audit log: the change, its actor and its operation, written in the transaction of the change."""

from collections.abc import Mapping
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
    session.before_commit = partial(_write_events, actor_id=actor, action=operation, request_id=request_id)


def _write_events(session: UnitOfWorkSession, **members: Any) -> None:
    """Insert an event for each changed object; *members* are those that all of them share."""
    members["at"] = utc_now()
    events = [
        {**members, "object_type": table, "object_id": object_id, "changes": changes}
        for (table, object_id), changes in _merge_changes(session.changes).items()
        if changes
    ]
    _INSERT.execute_later(session, events)


def _merge_changes(changes: list[Change]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the changed members of each object, by its table and id: `from` the first value `to` the last one."""
    merged: dict[tuple[str, str], dict[str, Pair]] = {}
    for change in changes:
        key = (change.table, str(change.id))
        members = merged.get(key)
        if members is None:
            merged[key] = change.members
        else:
            merged[key] = members | {
                name: (members[name][0], pair[1]) if name in members else pair for name, pair in change.members.items()
            }
    return {key: _describe_changes(members) for key, members in merged.items()}


def _describe_changes(members: Mapping[str, Pair]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for name, (old, new) in members.items():
        if new is UNKNOWN:
            described[name] = {}
        elif old is UNKNOWN:
            described[name] = {"to": _to_json(new)}
        elif old != new:
            described[name] = {"from": _to_json(old), "to": _to_json(new)}
    return described


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


_INSERT = prepare(insert(AuditEvent), values=[column.name for column in AuditEvent.__table__.c if column.name != "id"])
