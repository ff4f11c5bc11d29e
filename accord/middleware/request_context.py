"""The outermost: what every request gets and every answer has, and who is told when both are over."""

import re
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any

from accord.engine.request import Exchange, current_context
from accord.middleware.security_headers import HSTS_HEADERS, SECURITY_HEADERS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Listener = Callable[[Exchange], None]

# W3C Trace Context, section 3.2: a version after 00 may say more behind, and ff is none.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class RequestContextMiddleware:
    """
    Gives every request its identity, every answer the headers that it always has, and tells the *watchers* of both.

    `in_flight` is how many requests are not answered yet.
    """

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        self.listeners = listeners
        self.in_flight = 0

    def before(self, next_app: App) -> App:
        """Stand before *next_app*, which answers."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await next_app(scope, receive, send)
                return
            exchange = scope["exchange"] = Exchange(scope)
            exchange.trace_id = _trace_id(scope["headers"])
            current_context.set(exchange)
            always = HSTS_HEADERS if scope["scheme"] == "https" else SECURITY_HEADERS

            async def send_on(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    exchange.status = message["status"]
                    identity = (b"x-request-id", exchange.identity.encode())
                    own = message["headers"]
                    if exchange.request is None:
                        # Pages know better than this what they load.
                        said = {name for name, _ in own}
                        own = [*own, *(header for header in always if header[0] not in said), identity]
                    else:
                        own = [*own, *always, identity]
                    message["headers"] = own
                else:
                    exchange.size += len(message.get("body", b""))
                await send(message)

            self.in_flight += 1
            try:
                await next_app(scope, receive, send_on)
            finally:
                self.in_flight -= 1
                exchange.seconds = perf_counter() - exchange.started
                for watch in self.listeners:
                    watch(exchange)
                exchange.close()

        return app


def _trace_id(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the id of the trace that `traceparent` names; one that is not as it must be is none at all."""
    given = [value for name, value in headers if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    return found[1].decode() if found else None
