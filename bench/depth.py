"""The time of a page at the beginning, in the middle and at the end of 1,000,000 products: `python -m bench.depth`."""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg

from bench.databases import Database, Postgres, SQLite, postgres, sqlite
from bench.servers import ACCORD, ACCORD_SQLITE, Server, serving

ROWS = 1_000_000
TIMES = 15
"""Number of requests for each page, of which the median is printed."""

_COLUMNS = "id, sku, name, name_key, search, description, price, stock, category_id, version, created_at, updated_at"
_FILL = {
    "postgresql": f"""
        insert into products ({_COLUMNS})
        select uuidv7(), 'DEEP-' || n, 'Thing ' || n, 'thing ' || n, 'thing ' || n, null, (n % 5000) + 0.5, n % 100,
               (select min(id::text)::uuid from categories), 1, now(), now()
        from generate_series(1, {ROWS}) n""",
    "sqlite": f"""
        with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {ROWS})
        insert into products ({_COLUMNS})
        select lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(h, 14, 3) || '-8' || substr(h, 18, 3)
                     || '-' || substr(h, 21, 12)),
               'DEEP-' || n, 'Thing ' || n, 'thing ' || n, 'thing ' || n, null, (n % 5000) * 100 + 50, n % 100,
               (select min(id) from categories), 1, '2026-11-21 08:00:00.000000+00:00',
               '2026-11-21 08:00:00.000000+00:00'
        from (select n, hex(randomblob(16)) h from numbers)""",
}  # fmt: skip


def main() -> None:
    for accord, opened in zip((ACCORD, ACCORD_SQLITE), (postgres, sqlite), strict=True):
        with tempfile.TemporaryDirectory() as name, opened(Path(name)) as (database_of, _):
            database = database_of(accord.name)
            _fill(database)
            with serving(accord, database, Path(name), {"python": sys.executable}, cpu=0) as server:
                for what, milliseconds in _depths(server):
                    print(f"{accord.database:12} {what:32} {milliseconds:10.2f} ms")


def _depths(server: Server) -> Iterator[tuple[str, float]]:
    total = server.ask("GET", "/api/v1/products?per_page=1")[1]["total"]
    for part in (0, 0.5, 1):
        page = max(1, round(part * total / 20))
        yield f"page {page:,} by number", _median(server, f"/api/v1/products?sort=price&page={page}")
    seen: set[str] = set()
    halfway, cursor = "", "*"
    while cursor:
        page = server.ask("GET", f"/api/v1/products?sort=price&per_page=100&cursor={cursor}")[1]
        seen.update(item["id"] for item in page["items"])
        last, cursor = cursor, page["next_cursor"]
        halfway = halfway or (cursor if len(seen) >= total / 2 else "")
    if len(seen) != total:
        raise SystemExit(f"The pages by cursor had {len(seen)} of {total} products.")
    for where, at in (("the beginning", "*"), ("the middle", halfway), ("the end", last)):
        yield f"by cursor, at {where}", _median(server, f"/api/v1/products?sort=price&per_page=100&cursor={at}")


def _median(server: Server, path: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        status, _ = server.ask("GET", path)
        assert status == 200, path
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(TIMES)) * 1000


def _fill(database: Database) -> None:
    if isinstance(database, Postgres):
        asyncio.run(_run(database.url, _FILL["postgresql"], "vacuum analyze"))
        return
    assert isinstance(database, SQLite)
    with closing(sqlite3.connect(database.file, isolation_level=None)) as connection:
        for statement in (_FILL["sqlite"], "analyze", "pragma wal_checkpoint(truncate)"):
            connection.execute(statement)


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
