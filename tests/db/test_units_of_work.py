"""A unit of work is done whole or not at all, and a read changes nothing."""

import asyncio
import contextlib

import asyncpg
import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from db.database import MAX_ATTEMPTS, open_database
from db.errors import DatabaseUnavailable
from db.models import Category, Product
from db.prepared import prepare
from db.unit_of_work import on_commit, on_rollback
from tests.db.catalogue import BUTTER, count, meanwhile, product, skus, stock, take_one

POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"])
MODES = ("read", "write", "repeatable_read")
WRITES = ("write", "repeatable_read")
EMPTY = prepare(update(Product), values=("stock",))
NAMES = prepare(select(Product.name))


@pytest.mark.parametrize("mode", WRITES)
def test_returning_commits(tell, mode):
    async def story(database):
        await database.run(mode, take_one)
        return await database.run("read", stock)

    assert tell(story) == 99


@pytest.mark.parametrize("mode", WRITES)
@pytest.mark.parametrize("spoken", ["compiled", "core", "orm"])
def test_raising_rolls_back(tell, spoken, mode):
    def write(session):
        if spoken == "compiled":
            EMPTY.execute(session, stock=1)
        elif spoken == "core":
            session.execute(update(Product).values(stock=1))
        else:
            session.get(Product, BUTTER).stock = 1
            session.flush()
        assert stock(session) == 1
        raise LookupError

    async def story(database):
        with pytest.raises(LookupError):
            await database.run(mode, write)
        return await database.run("read", stock)

    assert tell(story) == 100


def test_reads_refuse_to_write(tell):
    def by_compiled(session):
        EMPTY.execute(session, stock=1)

    def by_core(session):
        session.execute(insert(Category).values(name="x", name_key="x"))

    def by_orm(session):
        session.add(Category(name="x", name_key="x"))
        session.flush()

    def by_orm_at_the_end(session):
        session.get(Product, BUTTER).stock = 1

    async def story(database):
        for write in (by_compiled, by_core, by_orm, by_orm_at_the_end):
            with pytest.raises(Exception, match=r"(?i)read-?only"):
                await database.run("read", write)
        return await database.run("read", stock)

    assert tell(story) == 100


def test_arguments_come_before_the_session(tell):
    async def story(database):
        return await database.run("read", lambda *arguments: arguments, 1, "two")

    one, two, session = tell(story)
    assert (one, two, isinstance(session, Session)) == (1, "two", True)


def test_a_session_is_never_handed_out_twice(tell):
    seen = []

    def mark(session):
        assert "mark" not in session.info
        assert not list(session)
        session.info["mark"] = True
        seen.append(session)
        session.get(Product, BUTTER)

    async def story(database):
        for mode in MODES * 3:
            await database.run(mode, mark)

    tell(story)
    assert len(set(map(id, seen))) == 9


def test_compiled_and_other_statements_take_turns_in_one_transaction(tell):
    def mix(session):
        EMPTY.execute(session, stock=5)
        assert take_one(session) == 4
        session.add(product("SALT", name="Tata Salt"))
        assert {row["name"] for row in NAMES.all(session)} == {"Amul Butter", "Tata Salt"}
        session.execute(update(Product).values(stock=7))
        return stock(session)

    async def story(database):
        return await database.run("write", mix), await database.run("read", stock)

    assert tell(story) == (7, 7)


def test_what_was_committed_midway_stays(tell):
    def twice(session):
        take_one(session)
        session.commit()
        take_one(session)
        raise LookupError

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", twice)
        return await database.run("read", stock)

    assert tell(story) == 99


def test_a_closed_session_lets_others_write_and_can_be_used_again(tell):
    def sell_meanwhile(database, loop, session):
        before = stock(session)
        session.close()
        meanwhile(database.run("write", take_one), loop)
        return before, stock(session)

    async def story(database):
        return await database.run("write", sell_meanwhile, database, asyncio.get_running_loop())

    assert tell(story) == (100, 99)


def test_a_savepoint_undoes_its_own_part_only(tell):
    def add_twice(session):
        session.add(product("SALT"))
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(product("BUTTER"))
        return count(session)

    async def story(database):
        return await database.run("write", add_twice), await database.run("read", skus)

    assert tell(story) == (2, ["BUTTER", "SALT"])


def test_a_swallowed_database_error_does_not_pass_for_a_commit(tell):
    def swallow(session):
        take_one(session)
        session.add(product("BUTTER"))
        with pytest.raises(IntegrityError):
            session.flush()

    async def story(database):
        with pytest.raises(Exception, match="rolled"):
            await database.run("write", swallow)
        return await database.run("read", stock)

    assert tell(story) == 100


def test_work_that_others_overtook_is_done_again(tell):
    tries = []

    def overtaken(database, loop, session):
        tries.append(stock(session))
        if len(tries) < MAX_ATTEMPTS:
            meanwhile(database.run("write", take_one), loop)
        return take_one(session)

    async def story(database):
        return await database.run("repeatable_read", overtaken, database, asyncio.get_running_loop())

    if tell.kind == "sqlite":
        with pytest.raises(DatabaseUnavailable):
            tell(story, pool_timeout=0.1)
    else:
        assert tell(story) == 100 - MAX_ATTEMPTS
        assert tries == [100 - n for n in range(MAX_ATTEMPTS)]


def test_work_that_is_overtaken_every_time_is_given_up(tell):
    tries = []

    def stale(session):
        tries.append(stock(session))
        raise StaleDataError

    async def story(database):
        with pytest.raises(DatabaseUnavailable):
            await database.run("write", stale)

    tell(story)
    assert len(tries) == MAX_ATTEMPTS


def test_no_update_is_lost(tell):
    rounds, writers = 30, 8

    async def persist(database):
        while True:
            try:
                return await database.run("repeatable_read", take_one)
            except DatabaseUnavailable:
                await asyncio.sleep(0)

    async def story(database):
        for done in range(1, rounds + 1):
            await database.run("write", lambda session: EMPTY.execute(session, stock=100))
            left = await asyncio.gather(*[persist(database) for _ in range(writers)])
            assert sorted(left) == list(range(100 - writers, 100)), f"Round {done} lost an update."
            assert await database.run("read", stock) == 100 - writers

    tell(story)


@POSTGRESQL
def test_deadlocked_work_is_done_again(tell):
    barrier = asyncio.Barrier(2)
    tries = []

    def cross(first, second, session):
        tries.append(first)
        for step, sku in enumerate((first, second)):
            session.execute(update(Product).where(Product.sku == sku).values(stock=Product.stock - 1))
            if step == 0 and len(tries) <= 2:
                meanwhile(barrier.wait(), None)

    async def story(database):
        await database.run("write", lambda session: session.add(product("SALT")))
        await asyncio.gather(
            database.run("write", cross, "BUTTER", "SALT"), database.run("write", cross, "SALT", "BUTTER")
        )
        return await database.run("read", lambda session: list(session.scalars(select(Product.stock))))

    assert tell(story) == [98, 98]
    assert len(tries) == 3


def test_what_follows_a_commit_is_called_after_it(tell):
    calls = []

    async def story(database):
        def follow(session):
            on_commit(session, lambda *what: calls.append(what), "first", 1)
            on_commit(session, calls.append, ("second",))
            assert not calls

        await database.run("write", follow)

    tell(story)
    assert calls == [("first", 1), ("second",)]


def test_what_follows_a_commit_is_forgotten_on_rollback(tell):
    calls = []

    def fail(session):
        on_commit(session, calls.append, "never")
        raise LookupError

    def start_over(session):
        on_commit(session, calls.append, "never")
        session.rollback()
        on_commit(session, calls.append, "yes")

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", fail)
        await database.run("write", start_over)

    tell(story)
    assert calls == ["yes"]


def test_what_follows_a_commit_cannot_undo_it(tell, caplog):
    def follow(session):
        take_one(session)
        on_commit(session, lambda: 1 / 0)
        return "done"

    async def story(database):
        return await database.run("write", follow), await database.run("read", stock)

    assert tell(story) == ("done", 99)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("ending", ["raise", "rollback", "close"])
def test_what_no_transaction_undoes_is_undone_on_rollback(tell, ending):
    calls = []

    def fail(session):
        on_rollback(session, lambda *what: calls.append(what), "first", 1)
        take_one(session)
        on_rollback(session, calls.append, ("second",))
        if ending == "raise":
            raise LookupError
        getattr(session, ending)()
        assert calls == [("first", 1), ("second",)]

    async def story(database):
        with pytest.raises(LookupError) if ending == "raise" else contextlib.nullcontext():
            await database.run("write", fail)
        return await database.run("read", stock)

    assert tell(story) == 100
    assert calls == [("first", 1), ("second",)]


def test_each_try_of_a_unit_is_undone_but_the_one_that_commits(tell):
    done, undone = [], []

    def stale_at_first(session):
        done.append(stock(session))
        on_rollback(session, undone.append, len(done))
        if len(done) < MAX_ATTEMPTS:
            raise StaleDataError

    async def story(database):
        await database.run("write", stale_at_first)

    tell(story)
    assert undone == [*range(1, MAX_ATTEMPTS)]


def test_nothing_is_undone_after_a_commit(tell):
    undone = []

    def commit_midway(session):
        on_rollback(session, undone.append, "never")
        take_one(session)
        session.commit()
        raise LookupError

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", commit_midway)
        return await database.run("read", stock)

    assert tell(story) == 99
    assert undone == []


def test_a_refused_commit_is_undone(tell):
    undone = []

    def swallow(session):
        on_rollback(session, undone.append, "done")
        session.add(product("BUTTER"))
        with pytest.raises(IntegrityError):
            session.flush()

    async def story(database):
        with pytest.raises(Exception, match="rolled"):
            await database.run("write", swallow)

    tell(story)
    assert undone == ["done"]


def at_commit(does):
    """The statements after which PostgreSQL does this when a change of a product is committed."""
    return (
        f"create function late() returns trigger language plpgsql as 'begin {does}; return new; end'",
        """create constraint trigger late after update on products deferrable initially deferred
               for each row execute function late()""",
    )


@POSTGRESQL
def test_a_commit_that_fails_is_undone(tell):
    undone = []

    def take(session):
        on_rollback(session, undone.append, "done")
        take_one(session)

    async def story(database):
        for statement in at_commit("raise exception ''no''"):
            await database.run("write", lambda session, statement=statement: session.execute(text(statement)))
        with pytest.raises(asyncpg.RaiseError):
            await database.run("write", take)
        return await database.run("read", stock)

    assert tell(story) == 100
    assert undone == ["done"]


@POSTGRESQL
def test_nothing_is_undone_when_nobody_can_tell_whether_it_was_committed(tell):
    """The connection is lost while the commit is under way, and PostgreSQL may have done it."""
    undone = []
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where query = 'COMMIT' and state = 'active'"

    def take(session):
        on_rollback(session, undone.append, "done")
        take_one(session)

    async def story(database):
        for statement in at_commit("perform pg_sleep(5)"):
            await database.run("write", lambda session, statement=statement: session.execute(text(statement)))
        committing = asyncio.ensure_future(database.run("write", take))
        while not await database.run("write", lambda session: session.scalars(text(cut)).all()):
            assert not committing.done()
        with pytest.raises(DatabaseUnavailable):
            await committing

    tell(story)
    assert undone == []


def test_what_cannot_be_undone_is_logged_and_hides_nothing(tell, caplog):
    undone = []

    def fail(session):
        on_rollback(session, lambda: 1 / 0)
        on_rollback(session, undone.append, "done")
        raise LookupError

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", fail)

    tell(story)
    assert undone == ["done"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("register", [on_commit, on_rollback])
def test_other_sessions_do_not_tell_how_they_end(register):
    with pytest.raises(TypeError):
        register(Session(), print)


def test_other_databases_are_refused():
    with pytest.raises(ValueError, match="mysql"):
        open_database("mysql://localhost/x")


def test_urls_may_name_their_driver(tell):
    async def story(database):
        other = open_database(tell.url.replace("postgresql:", "postgresql+asyncpg:"))
        try:
            return await other.run("read", stock)
        finally:
            await other.close()

    assert tell(story) == 100


@POSTGRESQL
def test_urls_may_ask_for_tls_in_libpqs_words(tell):
    async def story(database):
        other = open_database(f"{tell.url}&sslmode=prefer")
        try:
            return await other.run("read", stock)
        finally:
            await other.close()

    assert tell(story) == 100
