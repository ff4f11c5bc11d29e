"""The outermost middleware: request id, trace id, security headers, and the listeners of completed requests."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine.context import RequestContext, current_context, open_context
from accord.middleware.security_headers import HSTS_HEADERS, SECURITY_HEADERS

Listener = Callable[[RequestContext], None]


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
