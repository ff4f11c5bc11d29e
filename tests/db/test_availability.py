"""A database that is slow, busy or away makes requests fail soon, and only as long as it is so."""

import asyncio
import os
import signal
import sqlite3
import time

import asyncpg
import pytest
from sqlalchemy import func, select, text, update

from db import migrations
from db.database import open_database
from db.drivers import postgresql
from db.errors import DatabaseUnavailable
from db.models import Product
from db.prepared import prepare
from tests.db.catalogue import fill, meanwhile, stock, take_one
from tests.support.databases import PostgresServer

POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"])
SLOW = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgresql": "select pg_sleep(20)",
}
EMPTY = prepare(update(Product), values=("stock",))


def rest(loop, seconds, session):
    stock(session)
    meanwhile(asyncio.sleep(seconds), loop)


async def busy(database, mode, size, seconds):
    loop = asyncio.get_running_loop()
    work = [asyncio.create_task(database.run(mode, rest, loop, seconds)) for _ in range(size)]
    await asyncio.sleep(0.05)
    return asyncio.gather(*work)


async def held(database, mode, size):
    """So many connections are held until the event is set that is returned, beside who holds them."""
    begun, over, loop = asyncio.Semaphore(0), asyncio.Event(), asyncio.get_running_loop()

    async def wait():
        begun.release()
        await over.wait()

    def hold(session):
        stock(session)
        meanwhile(wait(), loop)

    holders = asyncio.gather(*[database.run(mode, hold) for _ in range(size)])
    for _ in range(size):
        await begun.acquire()
    return over, holders


@pytest.mark.parametrize("mode", ["read", "write"])
def test_no_connection_in_time_is_unavailable(tell, mode):
    async def story(database):
        over, others = await held(database, mode, 1)
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="in use"):
            await database.run(mode, stock)
        waited = time.monotonic() - started
        over.set()
        await others
        assert await database.run(mode, stock) == 100
        return waited

    assert tell(story, pool_size=1, pool_timeout=0.1) >= 0.1


@pytest.mark.parametrize("mode", ["read", "write"])
def test_waiting_for_a_connection_pays_when_one_comes_free(tell, mode):
    async def story(database):
        others = await busy(database, mode, 2, 0.1)
        left = await asyncio.gather(*[database.run(mode, stock) for _ in range(10)])
        await others
        return left

    assert tell(story, pool_size=2) == [100] * 10


def test_reads_go_on_while_all_writers_are_busy(tell):
    async def story(database):
        # SQLite has one writer, whatever the size of the pool.
        over, others = await held(database, "write", 1 if tell.kind == "sqlite" else 2)
        assert await database.run("read", stock) == 100
        over.set()
        await others

    tell(story, pool_size=2)


@pytest.mark.parametrize("mode", ["read", "write"])
def test_slow_statements_are_cancelled(tell, mode):
    def slow(session):
        session.execute(text(SLOW[tell.kind]))

    async def story(database):
        with pytest.raises(DatabaseUnavailable, match="too long"):
            await database.run(mode, slow)
        assert await database.run(mode, stock) == 100

    tell(story, statement_timeout=0.3)


def test_a_lock_that_is_not_released_is_unavailable(tell):
    """Another process has the row, or with SQLite the database."""

    async def hold_and_wait(database):
        if tell.kind == "sqlite":
            other = sqlite3.connect(tell.url.removeprefix("sqlite:///"), isolation_level=None)
            other.execute("begin immediate")
            end = other.close
        else:
            other = await asyncpg.connect(tell.url)
            await other.execute("begin; update products set stock = 1")
            end = other.terminate
        with pytest.raises(DatabaseUnavailable):
            await database.run("write", take_one)
        end()
        return await database.run("write", take_one)

    assert tell(hold_and_wait, statement_timeout=0.4) == 99


def test_a_cancelled_request_gives_its_connection_back(tell):
    async def story(database):
        for mode in ("read", "write", "repeatable_read"):
            for _ in range(4):
                loop = asyncio.get_running_loop()
                request = asyncio.create_task(database.run(mode, rest, loop, 0.2))
                await asyncio.sleep(0.02)
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
            await asyncio.sleep(0.25)
            assert await asyncio.gather(*[database.run(mode, stock) for _ in range(4)]) == [100] * 4

    tell(story, pool_size=1, pool_timeout=2)


@POSTGRESQL
def test_a_request_cancelled_while_a_statement_runs_leaves_nothing_behind(tell):
    def write_slowly(session):
        EMPTY.execute(session, stock=1)
        session.execute(text(SLOW["postgresql"]))

    async def story(database):
        for _ in range(3):
            request = asyncio.create_task(database.run("write", write_slowly))
            await asyncio.sleep(0.1)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        return await asyncio.gather(*[database.run("write", stock) for _ in range(3)])

    assert tell(story, pool_size=1, pool_timeout=2) == [100] * 3


def test_a_request_cancelled_while_it_waits_takes_nothing(tell):
    async def story(database):
        others = await busy(database, "read", 1, 0.2)
        waiting = [asyncio.create_task(database.run("read", stock)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for request in waiting[:2]:
            request.cancel()
        await others
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        return [type(answer).__name__ for answer in answers]

    assert tell(story, pool_size=1) == ["CancelledError", "CancelledError", "int"]


@POSTGRESQL
def test_connections_that_died_are_replaced(tell):
    async def story(database):
        for mode in ("read", "write"):
            await asyncio.gather(*[database.run(mode, stock) for _ in range(3)])
        other = await asyncpg.connect(tell.url)
        await other.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await other.close()
        await asyncio.sleep(0.1)
        return [await database.run(mode, stock) for mode in ("read", "write", "read", "write")]

    assert tell(story, pool_size=3) == [100] * 4


@POSTGRESQL
@pytest.mark.parametrize("spoken", ["compiled", "core"])
def test_a_server_that_falls_silent_is_unavailable(tell, spoken, monkeypatch):
    def hang(session):
        backend = session.scalar(text("select pg_backend_pid()"))
        os.kill(backend, signal.SIGSTOP)
        try:
            EMPTY.execute(session, stock=1) if spoken == "compiled" else stock(session)
        finally:
            os.kill(backend, signal.SIGCONT)

    async def story(database):
        with pytest.raises(DatabaseUnavailable, match="too long"):
            await database.run("write", hang)
        return await database.run("write", stock)

    monkeypatch.setattr(postgresql, "_COMMAND_TIMEOUT_MARGIN", 0.1)
    assert tell(story, statement_timeout=0.4, pool_size=1) == 100


@POSTGRESQL
def test_tables_may_change_under_prepared_statements(tell):
    everything = prepare(Product.__table__.select())

    def read(session):
        return len(everything.all(session))

    async def story(database):
        for mode in ("read", "write"):
            assert await database.run(mode, read) == 1
        await database.run(
            "write", lambda session: session.execute(text("alter table products alter column sku type text"))
        )
        for mode in ("read", "write"):
            assert await database.run(mode, read) == 1

    tell(story)


@POSTGRESQL
def test_rows_are_fetched_whatever_becomes_of_the_connection_that_has_prepared_their_statement(tell, monkeypatch):
    """It is closed by the server, it falls silent, or the table changes under the statement."""
    everything = prepare(select(Product.id, Product.sku))
    pids = prepare(select(func.pg_backend_pid().label("pid")))

    async def story(database):
        for _ in range(3):
            assert len(await database.fetch(everything)) == 1
        await database.run(
            "write", lambda session: session.execute(text("alter table products alter column sku type text"))
        )
        assert len(await database.fetch(everything)) == 1
        first, again = [(await database.fetch(pids))[0]["pid"] for _ in range(2)]
        assert first == again
        os.kill(first, signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseUnavailable, match="too long"):
                await database.fetch(pids)
        finally:
            os.kill(first, signal.SIGCONT)
        after = [(await database.fetch(pids))[0]["pid"] for _ in range(2)]
        assert after[0] == after[1] != first
        other = await asyncpg.connect(tell.url)
        await other.fetch(f"select pg_terminate_backend({after[0]})")
        await other.close()
        await asyncio.sleep(0.1)
        assert (await database.fetch(pids))[0]["pid"] not in (first, after[0])
        assert database.pool_stats()["read"].in_use == 0

    monkeypatch.setattr(postgresql, "_COMMAND_TIMEOUT_MARGIN", 0.1)
    tell(story, statement_timeout=0.4, pool_size=1)


def test_a_missing_database_is_unavailable(tmp_path):
    async def attempt(url):
        database = open_database(url)
        try:
            with pytest.raises(DatabaseUnavailable) as raised:
                await database.open()
            assert raised.value.retry_after >= 1
        finally:
            await database.close()

    for url in (
        f"sqlite:///{tmp_path}/no/such/folder/x.db",
        f"postgresql://postgres@/x?host={tmp_path}",
        "postgresql://postgres@127.0.0.1:1/x",
    ):
        asyncio.run(attempt(url))


def test_service_recovers_when_postgresql_comes_back():
    server = PostgresServer()
    server.execute("create database shop")
    migrations.upgrade(server.url("shop"))

    async def story():
        database = open_database(server.url("shop"), pool_timeout=1)
        await database.run("write", fill)
        await asyncio.gather(*[database.run("read", stock) for _ in range(5)])
        in_transaction = asyncio.create_task(database.run("write", rest_and_write))
        await asyncio.sleep(0.1)

        await asyncio.to_thread(server.stop)
        answers = await asyncio.gather(
            in_transaction, *[database.run(mode, stock) for mode in ("read", "write") * 5], return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 11

        await asyncio.to_thread(server.start)
        assert await asyncio.gather(*[database.run(mode, stock) for mode in ("read", "write") * 5]) == [100] * 10
        await database.close()

    def rest_and_write(session):
        take_one(session)
        meanwhile(asyncio.sleep(1.5), None)
        take_one(session)

    try:
        asyncio.run(story())
    finally:
        server.stop()
