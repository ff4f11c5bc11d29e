"""
The cost of each policy for a request: `python -m bench.policies`.

It measures the application alone, in this process and without a socket, on SQLite with the demo shop: processor time in
µs, with everything on and with one thing changed. All variants take turns, and the least time of all rounds counts.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from accord.app.container import Container
from accord.app.factory import build_app
from accord.engine.policies.rate_limits import RateLimitPolicies
from accord.middleware import request_context
from accord.settings import Settings
from accord.telemetry.logs import LogHandler
from accord.telemetry.metrics import Metrics
from tests.support.redis import RedisServer
from tests.support.server import GENEROUS, demo_shop

ROUNDS = 15
TIMES = 150
"""Number of requests in a round."""

SHOP = {"list": "/api/v1/products?per_page=5", "one": ""}
"""Anonymous requests. The id of the product is known later."""


@dataclass(frozen=True)
class Variant:
    """The service with one thing changed."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_limited: bool = True
    is_counted: bool = True
    has_headers: bool = True


class Caller:
    """Calls the application of a variant, as a server does."""

    def __init__(self, variant: Variant, log: LogHandler, settings: Settings) -> None:
        self.variant = variant
        with nullcontext() if variant.is_limited else patch.object(RateLimitPolicies, "for_operation", lambda *_: None):
            container = Container(settings)
            container.log = log
            with nullcontext() if variant.is_counted else patch.object(Metrics, "record", lambda *_: None):
                self.app: Any = build_app(container)
        self._headers = [(name.lower().encode(), value.encode()) for name, value in variant.headers.items()]

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        more = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", b"bench"), *self._headers, *more],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])

    async def microseconds(self, target: str) -> float:
        headers = request_context.SECURITY_HEADERS if self.variant.has_headers else []
        with patch.object(request_context, "SECURITY_HEADERS", headers):
            begin = time.process_time()
            for _ in range(TIMES):
                status, _ = await self.ask(target)
                assert status == 200, status
            return (time.process_time() - begin) / TIMES * 1e6


@contextmanager
def variants(key: str, token: str) -> Iterator[list[Variant]]:
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        redis = RedisServer(Path(folder))
        try:
            yield [
                Variant("everything on"),
                Variant("without rate limits", is_limited=False),
                Variant("rate limits in Redis", {"redis_url": redis.url}),
                Variant("without the response cache", {"response_cache_size": 0}),
                Variant("without the access log", {"log_level": "warning"}),
                Variant("without metrics", is_counted=False),
                Variant("without security headers", has_headers=False),
                Variant(
                    "CORS, for a listed origin", {"cors_origins": "http://a.example"}, {"Origin": "http://a.example"}
                ),
                Variant("compressed by Brotli", headers={"Accept-Encoding": "br"}),
                Variant("with an API key", headers={"X-API-Key": key}),
                Variant("with an access token", headers={"Authorization": f"Bearer {token}"}),
            ]
        finally:
            redis.kill()


async def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Return the least time in µs, by variant and request."""
    shop = demo_shop("sqlite", folder)
    shop.stop()
    settings_of_all: dict[str, Any] = {
        "database_url": shop.environment["ACCORD_DATABASE_URL"],
        "data_dir": Path(shop.environment["ACCORD_DATA_DIR"]),
        "rate_limits": json.dumps(GENEROUS),
    }
    with ExitStack() as stack:
        null = stack.enter_context(Path(os.devnull).open("wb"))  # noqa: ASYNC230  # Nothing else runs.

        def caller(variant: Variant) -> Caller:
            settings = Settings(**settings_of_all | variant.settings)
            log = LogHandler(null, as_json=True, level=settings.log_level)
            stack.enter_context(log.writer.buffered())
            return Caller(variant, log, settings)

        first = caller(Variant("first"))
        login = b'{"username": "admin", "password": "admin-demo-password"}'
        token = json.loads((await first.ask("/api/v1/auth/login", "POST", login, content_type="application/json"))[1])
        bearer = {"authorization": f"Bearer {token['access_token']}", "content_type": "application/json"}
        created = await first.ask(
            "/api/v1/api-keys", "POST", b'{"name": "bench", "scopes": ["catalogue:read"]}', **bearer
        )
        item = json.loads((await first.ask(SHOP["list"]))[1])["items"][0]["id"]
        requests = {"health": "/health/live"} | SHOP | {"one": f"/api/v1/products/{item}"}
        all_variants = variants(json.loads(created[1])["key"], token["access_token"])
        callers = [caller(variant) for variant in stack.enter_context(all_variants)]
        least: dict[str, dict[str, float]] = {}
        for _ in range(ROUNDS):
            for variant_caller in callers:
                for name, target in requests.items():
                    time_taken = await variant_caller.microseconds(target)
                    times = least.setdefault(variant_caller.variant.name, {})
                    times[name] = min(time_taken, times.get(name, time_taken))
        return least


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        least = asyncio.run(measure(Path(folder)))
    names = list(next(iter(least.values())))
    whole = least["everything on"]
    print(f"| µs of the processor | {' | '.join(names)} |")
    print(f"| --- |{' --: |' * len(names)}")
    for variant, times in least.items():
        cells = [f"{times[n]:.1f}" if times is whole else f"{times[n]:.1f} ({times[n] - whole[n]:+.1f})" for n in names]
        print(f"| {variant} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
