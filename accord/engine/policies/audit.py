"""Who changed what is written down, in the very unit of work that changes it."""

from typing import TYPE_CHECKING, Any, Protocol

from accord.engine.policies import Perform
from accord.engine.renderers.response import Answer
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


class Trail(Protocol):
    """Is told, before an operation changes anything in a session, on whose behalf it will; main gives one."""

    def __call__(self, session: Any, *, actor: Any, operation: str, request_id: str) -> None: ...


class Audited:
    """Every operation that is not safe. Its events have the id of the request."""

    def __init__(self, trail: Trail | None) -> None:
        self.trail = trail

    def __call__(self, operation: "Operation", perform: Perform) -> Perform | None:
        trail = self.trail
        if trail is None or operation.is_safe or not operation.needs_session:
            return None

        def perform_audited(request: Request, session: Any) -> Answer:
            actor = request.caller.id if request.caller else None
            trail(session, actor=actor, operation=operation.id, request_id=request.context.request_id)
            return perform(request, session)

        return perform_audited
