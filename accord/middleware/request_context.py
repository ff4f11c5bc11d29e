"""The outermost middleware: request id, trace id, security headers, and the listeners of completed requests."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.context import RequestContext, current_context, open_context
from accord.engine.headers import header_fields
from accord.middleware.security_headers import HSTS_HEADERS, SECURITY_HEADERS

Listener = Callable[[RequestContext], None]

# W3C Trace Context, section 3.2: versions after 00 may have more fields at the end, and version ff is invalid.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


@dataclass
class ActiveRequests:
    """The number of requests without a complete response."""

    count: int = 0


class RequestContextMiddleware:
    """
    Creates the `RequestContext` of every request, and passes it to the *listeners* when the response has been sent.

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

        def send_on(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                headers = HSTS_HEADERS if scope["scheme"] == "https" else SECURITY_HEADERS
                if not context.is_in_contract:
                    # Pages of the portal set a Content-Security-Policy of their own.
                    names = {name for name, _ in message["headers"]}
                    headers = [header for header in headers if header[0] not in names]
                request_id = (b"x-request-id", context.request_id.encode())
                message["headers"] = [*message["headers"], *headers, request_id]
            else:
                context.response_size += len(message.get("body", b""))
            return send(message)

        self.active.count += 1
        try:
            await self.app(scope, receive, send_on)
        finally:
            self.active.count -= 1
            context.duration = perf_counter() - context.started
            for listener in self.listeners:
                listener(context)


def _trace_id(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the trace id of the `traceparent` header, or None if there is not exactly one, or it is malformed."""
    if b"traceparent" not in header_fields(headers):
        return None
    values = [value for name, value in headers if name == b"traceparent"]
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    return match[1].decode() if match else None
