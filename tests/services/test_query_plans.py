"""Statements of rows by their keys look them up in an index, however large the table is."""

import asyncio

import asyncpg
import pytest
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect

from services import orders, stock, tags
from tests.support.databases import migrated_database

ROWS = 10_000
# Without foreign keys, the rows need no categories and orders.
FILL = f"""
    SET session_replication_role = replica;
    INSERT INTO products (id, sku, name, name_key, search, price, stock, category_id, version, created_at, updated_at)
        SELECT id, n, n, n, n, 1, 1, id, 1, now(), now()
        FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {ROWS}) n) r;
    INSERT INTO tags (id, name, name_key, created_at) SELECT id, sku, sku, now() FROM products;
    INSERT INTO order_items (order_id, position, product_id, quantity, unit_price)
        SELECT id, n, id, 1, 1 FROM products, generate_series(0, 2) n;
    ANALYZE
"""
STATEMENTS = {
    "reserve": stock._RESERVE,
    "release": stock._RELEASE,
    "stock of products": stock._AVAILABLE,
    "items of orders": orders._ITEMS,
    "tags by name": tags._FIND,
}


@pytest.fixture(scope="module")
def filled_url(tmp_path_factory):
    url = migrated_database("postgresql", tmp_path_factory.mktemp("plans"))
    asyncio.run(_execute(url, FILL))
    return url


async def _execute(url, statement):
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _explain(url, statement):
    compiled = statement.compile(dialect=asyncpg_dialect.dialect())
    nulls = ", ".join(["NULL"] * len(compiled.positiontup))
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE statement AS {compiled}")
        return "\n".join(line for (line,) in await connection.fetch(f"EXPLAIN EXECUTE statement ({nulls})"))
    finally:
        await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_rows_are_looked_up_in_an_index(filled_url, name):
    """The plan of a prepared statement is generic: it does not depend on the arguments."""
    plan = asyncio.run(_explain(filled_url, STATEMENTS[name].statement))
    assert "Index Scan" in plan
    assert "Seq Scan" not in plan, plan
