"""Read access to the audit log."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from accord.errors import require
from db.list_query import ListQuery, filter_values
from db.models import AuditEvent, User
from db.pagination import CursorSigner, Page
from db.prepared import prepare


def _select_event(event: Any) -> Select[*tuple[Any, ...]]:
    return select(
        event.id,
        event.at,
        event.actor_id.label("actor__id"),
        User.username.label("actor__username"),
        event.action,
        event.object_type.label("object__type"),
        event.object_id.label("object__id"),
        event.request_id,
        event.changes,
    ).join(User, User.id == event.actor_id, isouter=True)


_EVENT = prepare(_select_event(AuditEvent).where(AuditEvent.id == bindparam("id")))
_FILTERS = {
    "actor": AuditEvent.actor_id,
    "action": AuditEvent.action,
    "object_type": AuditEvent.object_type,
    "object_id": AuditEvent.object_id,
    "from": lambda moment: AuditEvent.at >= moment,
    "to": lambda moment: AuditEvent.at < moment,
}
_EVENTS = ListQuery(AuditEvent, _select_event, _FILTERS, default_sort="-at")


def find(session: Session, cursors: CursorSigner, *, per_page: int, cursor: str, **filters: Any) -> Page:
    """Return the page after *cursor* of the events that match all filters, newest first; raises InvalidCursor."""
    page = _EVENTS.page_after(session, cursors, filter_values(**filters), filters, cursor=cursor, per_page=per_page)
    page["items"] = [_describe(event) for event in page["items"]]
    return page


def get(session: Session, event_id: UUID) -> dict[str, Any]:
    """Return the event; raises NotFound."""
    return _describe(require("audit event", _EVENT.first(session, id=event_id)))


def _describe(event: dict[str, Any]) -> dict[str, Any]:
    return event if event["actor"]["id"] else event | {"actor": None}
