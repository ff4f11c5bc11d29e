"""The outermost: what every request gets and every answer has, and who is told when both are over."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.context import RequestContext, current_context, open_context
from accord.middleware.security_headers import HSTS_HEADERS, SECURITY_HEADERS

Listener = Callable[[RequestContext], None]

# W3C Trace Context, section 3.2: a version after 00 may say more behind, and ff is none.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


@dataclass
class ActiveRequests:
    """How many requests are not answered yet."""

    count: int = 0


class RequestContextMiddleware:
    """
    Creates the `RequestContext` of every request, and passes it to the *listeners* when the response was sent.

    Every response gets the request id and the security headers. *active* counts the requests in flight.
    """

    def __init__(
        self, app: ASGIApp, *, listeners: Sequence[Listener] = (), active: ActiveRequests | None = None
    ) -> None:
        self.app = app
        self.listeners = listeners
        self.active = active or ActiveRequests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = open_context(scope)
        context.trace_id = _trace_id(scope["headers"])
        current_context.set(context)
        always = HSTS_HEADERS if scope["scheme"] == "https" else SECURITY_HEADERS

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                request_id = (b"x-request-id", context.request_id.encode())
                own = message["headers"]
                if context.resolved_path is None:
                    # Pages know better than this what they load.
                    said = {name for name, _ in own}
                    own = [*own, *(header for header in always if header[0] not in said), request_id]
                else:
                    own = [*own, *always, request_id]
                message["headers"] = own
            else:
                context.response_size += len(message.get("body", b""))
            await send(message)

        self.active.count += 1
        try:
            await self.app(scope, receive, send_on)
        finally:
            self.active.count -= 1
            context.duration = perf_counter() - context.started
            for listener in self.listeners:
                listener(context)


def _trace_id(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the id of the trace that `traceparent` names; one that is not as it must be is none at all."""
    given = [value for name, value in headers if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    return found[1].decode() if found else None
