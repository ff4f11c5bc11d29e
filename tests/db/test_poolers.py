"""
Through a connection pooler in transaction mode, units of work are what they are without one.

PgBouncer documentation, "SQL feature map for pooling modes": in transaction mode, settings of the session, prepared
statements with names and advisory locks of the session do not hold.
"""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.exc import DBAPIError

from db import migrations
from db.database import open_database
from db.errors import DatabaseUnavailable
from db.models import Tag
from db.prepared import prepare
from services.demo_data import LOGINS
from tests.support.databases import fresh_database, migrated_database
from tests.support.own_rows import count_wrong_rows
from tests.support.pgbouncer import DEFAULTS, IGNORING, PgBouncer, needs_pgbouncer
from tests.support.server import Server

POOLERS = {
    "none": None,
    "transaction mode": DEFAULTS,
    "transaction mode that ignores settings": IGNORING,
    "session mode": {**DEFAULTS, "pool_mode": "session"},
    "session mode that ignores settings": {**IGNORING, "pool_mode": "session"},
}
SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name LIKE '%_timeout' OR name = 'transaction_read_only'")
NAMED = text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")


@pytest.fixture(scope="module", params=[pytest.param(name, marks=needs_pgbouncer) if name != "none" else name
                                        for name in POOLERS])  # fmt: skip
def pooled(request):
    """What turns the URL of a database into one through a pooler, which is of each kind in turn."""
    settings = POOLERS[request.param]
    if settings is None:
        yield lambda url: url
        return
    pooler = PgBouncer(**settings)
    yield pooler.url
    pooler.stop()


@pytest.fixture
def run(pooled, tmp_path):
    """Run functions as units of work of a database through the pooler."""
    url = pooled(migrated_database("postgresql", tmp_path))
    with asyncio.Runner() as runner:
        database = runner.run(opened(url, statement_timeout=1.0))
        yield lambda mode, function: runner.run(database.run(mode, function))
        runner.run(database.close())


async def opened(url, **limits):
    return open_database(url, **limits)


@pytest.mark.parametrize("mode", ["read", "write", "repeatable_read"])
def test_unit_of_work_has_its_settings(run, mode):
    for _ in range(3):
        settings = dict(run(mode, lambda session: session.execute(SETTINGS).all()))
        assert (settings["statement_timeout"], settings["lock_timeout"]) == ("1000", "500")
        assert settings["transaction_read_only"] == ("on" if mode == "read" else "off")


def test_slow_statement_is_cancelled(run):
    for mode in ("read", "write"):
        with pytest.raises(DatabaseUnavailable, match="too long"):
            run(mode, lambda session: session.execute(select(func.pg_sleep(5))))


def test_reading_unit_of_work_cannot_write(run):
    with pytest.raises(DBAPIError, match="read-only"):
        run("read", lambda session: session.add(Tag(name="Tea", name_key="tea")) or session.flush())
    assert run("read", lambda session: session.scalar(select(func.count()).select_from(Tag))) == 0


def test_exception_rolls_back_and_return_commits(run):
    def fail(session):
        session.add(Tag(name="Tea", name_key="tea"))
        session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        run("write", fail)
    run("write", lambda session: session.add(Tag(name="Coffee", name_key="coffee")))
    assert run("read", lambda session: session.scalars(select(Tag.name)).all()) == ["Coffee"]


def test_statements_have_names_only_without_a_pooler(run, request):
    """They are prepared once for each connection where that is safe."""
    statement = prepare(select(Tag.id).where(Tag.name == bindparam("name")))
    run("read", lambda session: statement.all(session, name="Tea"))
    named = run("read", lambda session: session.scalar(NAMED))
    assert (named > 0) == (request.node.callspec.params["pooled"] == "none")


@needs_pgbouncer
@pytest.mark.parametrize("settings", [DEFAULTS, IGNORING], ids=["refusing", "ignoring"])
def test_processes_get_their_own_rows(settings, tmp_path):
    pooler = PgBouncer(**settings)
    url = pooler.url(fresh_database("postgresql", tmp_path))
    try:
        with ProcessPoolExecutor(3, get_context("spawn")) as processes:
            assert list(processes.map(count_wrong_rows, [url] * 3, "ABC")) == [0, 0, 0]
    finally:
        pooler.stop()


@needs_pgbouncer
def test_statement_mode_is_refused_in_words(tmp_path, caplog):
    pooler = PgBouncer(**IGNORING | {"pool_mode": "statement"})
    url = pooler.url(fresh_database("postgresql", tmp_path))

    async def read():
        database = open_database(url)
        try:
            await database.run("read", lambda session: session.scalar(select(1)))
        finally:
            await database.close()

    try:
        with pytest.raises(DatabaseUnavailable):
            asyncio.run(read())
        assert "not allowed in statement pooling mode" in caplog.text
        with pytest.raises(DatabaseUnavailable, match="not allowed in statement pooling mode"):
            migrations.upgrade(url)
    finally:
        pooler.stop()


def key():
    return {"Idempotency-Key": str(uuid4())}


@needs_pgbouncer
def test_service_works_through_a_pooler(tmp_path):
    pooler = PgBouncer(**DEFAULTS)
    server = Server(pooler.url(fresh_database("postgresql", tmp_path)), tmp_path, ACCORD_WORKERS="2")
    try:
        server.run("check")
        username, password = LOGINS["admin"]
        with httpx.Client(base_url=server.base) as client:
            assert client.get("/health/ready").status_code == 200
            log_in = client.post("/api/v1/auth/login", json={"username": username, "password": password})
            client.headers["Authorization"] = f"Bearer {log_in.json()['access_token']}"
            (product, *_) = client.get("/api/v1/products").json()["items"]
            for number in range(1, 6):
                body = {"items": [{"product_id": product["id"], "quantity": 1}]}
                assert client.post("/api/v1/orders", json=body, headers=key()).status_code == 201
                assert client.patch(f"/api/v1/products/{product['id']}", json={"stock": number}).status_code == 200
                assert client.get(f"/api/v1/products/{product['id']}").json()["stock"] == number
    finally:
        server.stop()
        pooler.stop()
