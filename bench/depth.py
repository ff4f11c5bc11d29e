"""
The cost of a page as the products grow from 1,000 to 1,000,000: `python -m bench.depth`.

It measures pages by cursor at the beginning, in the middle and at the end, and pages by number of the largest table,
without the response cache: processor time of the server and of PostgreSQL in µs a request, the least of all rounds.
"""

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.databases import Database, Postgres, SQLite, execute, postgres, sqlite
from bench.load import load
from bench.servers import ACCORD_SQLITE_UNCACHED, ACCORD_UNCACHED, Server, serving
from bench.tables import render
from bench.workloads import message

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PER_PAGE = 20
ROUNDS = 5
TIMES = 500
"""Number of requests in a round, enough for processor times that the system counts in hundredths of a second."""

_EMPTY = ("delete from product_tags", "delete from products")
_COLUMNS = "id, sku, name, name_key, search, description, price, stock, category_id, version, created_at, updated_at"
_FILL = {
    "postgresql": f"""
        insert into products ({_COLUMNS})
        select uuidv7(), 'DEEP-' || n, 'Thing ' || n, 'thing ' || n, 'thing ' || n, null, (n % 5000) + 0.5, n % 100,
               (select min(id::text)::uuid from categories), 1, now(), now()
        from generate_series({{first}}, {{last}}) n""",
    "sqlite": f"""
        with recursive numbers(n) as (select {{first}} union all select n + 1 from numbers where n < {{last}})
        insert into products ({_COLUMNS})
        select lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(h, 14, 3) || '-8' || substr(h, 18, 3)
                     || '-' || substr(h, 21, 12)),
               'DEEP-' || n, 'Thing ' || n, 'thing ' || n, 'thing ' || n, null, (n % 5000) * 100 + 50, n % 100,
               (select min(id) from categories), 1, '2026-11-21 08:00:00.000000+00:00',
               '2026-11-21 08:00:00.000000+00:00'
        from (select n, hex(randomblob(16)) h from numbers)""",
}  # fmt: skip


def main() -> None:
    for accord, opened in zip((ACCORD_UNCACHED, ACCORD_SQLITE_UNCACHED), (postgres, sqlite), strict=True):
        cells = [[f"{accord.database}, page of {PER_PAGE}", "products", "CPU µs", f"to {SIZES[0]:,}", "database µs"]]
        with tempfile.TemporaryDirectory() as name, opened(Path(name)) as (database_of, _):
            database = database_of(accord.name)
            with serving(accord, database, Path(name), {}, {0}) as server:
                _execute(database, *_EMPTY)
                units: dict[str, float] = {}
                for before, size in itertools.pairwise((0, *SIZES)):
                    _execute(database, _FILL[accord.database].format(first=before + 1, last=size))
                    _analyze(database)
                    for where, path in _paths(server, size):
                        cpu, database_cpu = _measure(server, path)
                        # Pages by number are those of the largest table only.
                        ratio = f"{cpu / units[where]:.2f}" if where in units else ""
                        units.setdefault(where, cpu)
                        cells.append([where, f"{size:,}", f"{cpu:,.0f}", ratio, f"{database_cpu:,.0f}"])
        print(render(cells), end="\n\n")


def _paths(server: Server, size: int) -> Iterator[tuple[str, str]]:
    """Yield places and their paths. All pages by cursor have all products, each once."""
    seen: set[str] = set()
    halfway, cursor, last = "", "*", "*"
    while cursor:
        page = server.ask("GET", f"/api/v1/products?sort=price&per_page=100&cursor={cursor}")[1]
        assert not seen & {item["id"] for item in page["items"]}, "A product was on two pages."
        seen.update(item["id"] for item in page["items"])
        last, cursor = cursor, page["next_cursor"]
        halfway = halfway or (cursor if len(seen) >= size / 2 else "")
    if len(seen) != size:
        raise SystemExit(f"The pages by cursor had {len(seen)} of {size} products.")
    for where, at in (("the beginning", "*"), ("the middle", halfway), ("the end", last)):
        yield f"by cursor, at {where}", f"/api/v1/products?sort=price&per_page={PER_PAGE}&cursor={at}"
    if size == SIZES[-1]:
        for part in (0, 0.5, 1):
            page = max(1, round(part * size / PER_PAGE))
            yield f"page {page:,} by number", f"/api/v1/products?sort=price&per_page={PER_PAGE}&page={page}"


def _measure(server: Server, path: str) -> tuple[float, float]:
    """Return the least processor time of server and PostgreSQL in µs a request."""
    messages = itertools.repeat(message("GET", path))
    costs = []
    for _ in range(ROUNDS):
        before = server.cpu_seconds, server.database.cpu_seconds
        requests = itertools.islice(messages, TIMES)
        load(server.port, requests, statuses=(200,), connections=2, seconds=float("inf"))
        after = server.cpu_seconds, server.database.cpu_seconds
        costs.append([(b - a) / TIMES * 1e6 for a, b in zip(before, after, strict=True)])
    cpu, database_cpu = (min(values) for values in zip(*costs, strict=True))
    return cpu, database_cpu


def _analyze(database: Database) -> None:
    if isinstance(database, Postgres):
        _execute(database, "vacuum analyze products")
    else:
        _execute(database, "analyze", "pragma wal_checkpoint(truncate)")


def _execute(database: Database, *statements: str) -> None:
    if isinstance(database, Postgres):
        asyncio.run(execute(database.url, *statements))
        return
    assert isinstance(database, SQLite)
    with closing(sqlite3.connect(database.file, isolation_level=None, timeout=30)) as connection:
        for statement in statements:
            connection.execute(statement)


if __name__ == "__main__":
    main()
