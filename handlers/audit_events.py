from services import audit_events


def list_audit_events(
    session, cursors, per_page, cursor, actor=None, action=None, object_type=None, object_id=None, from_=None, to=None
):
    filters = {"actor": actor, "action": action, "object_type": object_type, "object_id": object_id}
    return audit_events.find(session, cursors, per_page=per_page, cursor=cursor, **filters, **{"from": from_, "to": to})


def get_audit_event(session, event_id):
    return audit_events.get(session, event_id)
