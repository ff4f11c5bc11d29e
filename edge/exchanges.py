"""The outermost: what every request gets and every answer has, and who is told when both are over."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contract.request import Exchange

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
Watcher = Callable[[Exchange], None]


class Exchanges:
    """Gives every request its identity and every answer *headers*, and tells the *watchers* of both in the end."""

    def __init__(self, headers: Headers = (), watchers: Sequence[Watcher] = ()) -> None:
        self.headers = headers
        self.watchers = watchers

    def before(self, next_app: App) -> App:
        """Stand before *next_app*, which answers."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await next_app(scope, receive, send)
                return
            exchange = scope["exchange"] = Exchange(scope)

            async def send_on(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    exchange.status = message["status"]
                    identity = (b"x-request-id", exchange.identity.encode())
                    message["headers"] = [*message["headers"], *self.headers, identity]
                else:
                    exchange.size += len(message.get("body", b""))
                await send(message)

            try:
                await next_app(scope, receive, send_on)
            finally:
                for watch in self.watchers:
                    watch(exchange)

        return app
