"""
The cost of a request in contracts of 1 to 1,000 operations: `python -m bench.operations`.

It measures routing, policies, validation and rendering in this process, without a socket and a database: processor time
in µs. All contracts take turns, and the least time of all rounds counts.
"""

import asyncio
import time
from typing import Any

from bench.tables import render
from tests.support.engine import start

SIZES = (1, 10, 100, 1_000)
ROUNDS = 15
TIMES = 300
"""Number of requests in a round."""

_THING = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string", "maxLength": 100}},
    "additionalProperties": False,
}
_ID = {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}


def contract_of(size: int) -> Any:
    """Return the application of a contract with so many operations, each with a path template of its own."""

    def operation(name: str) -> dict[str, Any]:
        content = {"application/json": {"schema": _THING}}
        return {
            "operationId": name,
            "parameters": [_ID],
            "responses": {"200": {"description": "The thing.", "content": content}},
        }

    paths = {f"/things-{number}/{{thing_id}}": {"get": operation(f"get_{number}")} for number in range(size)}
    functions = {f"get_{number}": lambda thing_id: {"id": thing_id, "name": "Kettle"} for number in range(size)}
    return start({"paths": paths}, functions).app


async def microseconds(app: Any, path: str) -> float:
    """Return the processor time of a request."""
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1),
    }  # fmt: skip
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            statuses.append(message["status"])

    begin = time.process_time()
    for _ in range(TIMES):
        await app(dict(scope), receive, send)
    elapsed = time.process_time() - begin
    assert statuses == [200] * TIMES, statuses
    return elapsed / TIMES * 1e6


def measure() -> dict[tuple[int, str], float]:
    """Return the least time in µs, by the number of operations and by which of them was asked for."""
    apps = {size: contract_of(size) for size in SIZES}
    least: dict[tuple[int, str], float] = {}
    for _ in range(ROUNDS):
        for size, app in apps.items():
            for which, number in (("first", 0), ("last", size - 1)):
                taken = asyncio.run(microseconds(app, f"/things-{number}/7"))
                least[size, which] = min(taken, least.get((size, which), taken))
    return least


def main() -> None:
    least = measure()
    cells = [["Operations", "first, µs", "to one operation", "last, µs", "to one operation"]]
    for size in SIZES:
        times = [(least[size, which], least[1, which]) for which in ("first", "last")]
        cells.append([f"{size:,}", *(cell for one, unit in times for cell in (f"{one:.1f}", f"{one / unit:.2f}"))])
    print(render(cells))


if __name__ == "__main__":
    main()
