"""Audit: every write is recorded in the audit log, in its own unit of work."""

from typing import TYPE_CHECKING, Any, Protocol

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


class TrackChanges(Protocol):
    """Starts to record the changes of a session in the audit log. It is called before the handler, with their actor."""

    def __call__(self, session: Any, *, actor: Any, operation: str, request_id: str) -> None: ...


class Audit:
    """The audit of every operation that is not safe. Audit events have the request id."""

    def __init__(self, track_changes: TrackChanges | None) -> None:
        self.track_changes = track_changes

    def __call__(self, operation: "Operation", handle: Handle) -> Handle | None:
        track_changes = self.track_changes
        if track_changes is None or operation.is_safe or not operation.needs_session:
            return None

        def handle_audited(request: Request, session: Any) -> Response:
            actor = request.caller.id if request.caller else None
            track_changes(session, actor=actor, operation=operation.id, request_id=request.context.request_id)
            return handle(request, session)

        return handle_audited
