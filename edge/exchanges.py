"""The outermost: what every request gets and every answer has, and who is told when both are over."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contract.request import Exchange
from edge.headers import ALWAYS, OVER_TLS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Watcher = Callable[[Exchange], None]


class Exchanges:
    """Gives every request its identity, every answer the headers it always has, and tells *watchers* of both."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self.watchers = watchers

    def before(self, next_app: App) -> App:
        """Stand before *next_app*, which answers."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await next_app(scope, receive, send)
                return
            exchange = scope["exchange"] = Exchange(scope)
            always = OVER_TLS if scope["scheme"] == "https" else ALWAYS

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

            try:
                await next_app(scope, receive, send_on)
            finally:
                for watch in self.watchers:
                    watch(exchange)

        return app
