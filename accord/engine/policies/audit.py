"""Who changed what is written down, in the very unit of work that changes it."""

from typing import TYPE_CHECKING, Any, Protocol

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


class AuditLog(Protocol):
    """Is told, before an operation changes anything in a session, on whose behalf it will; main gives one."""

    def __call__(self, session: Any, *, actor: Any, operation: str, request_id: str) -> None: ...


class Audit:
    """Every operation that is not safe. Its events have the id of the request."""

    def __init__(self, audit_log: AuditLog | None) -> None:
        self.audit_log = audit_log

    def __call__(self, operation: "Operation", perform: Handle) -> Handle | None:
        trail = self.audit_log
        if trail is None or operation.is_safe or not operation.needs_session:
            return None

        def perform_audited(request: Request, session: Any) -> Response:
            actor = request.caller.id if request.caller else None
            trail(session, actor=actor, operation=operation.id, request_id=request.context.request_id)
            return perform(request, session)

        return perform_audited
