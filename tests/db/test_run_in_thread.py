"""Slow work steps aside, and nobody else waits for it."""

import asyncio
import threading
from contextvars import ContextVar

from db.unit_of_work import run_in_thread, run_outside_transaction
from tests.db.catalogue import stock, take_one

PATIENCE = 30
"""Seconds after which what should happen meanwhile does not."""


def test_slow_work_does_not_stall_the_loop(tell):
    loop_came_round = threading.Event()

    def hash_something(session, begun):
        session.close()
        return run_in_thread(wait, begun)

    def wait(begun):
        begun()
        return loop_came_round.wait(PATIENCE)

    async def story(database):
        has_begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def begun():
            loop.call_soon_threadsafe(has_begun.set)

        work = asyncio.gather(
            *[database.run("write", lambda session: hash_something(session, begun)) for _ in range(3)]
        )
        await has_begun.wait()
        loop_came_round.set()
        return await work

    assert tell(story) == [True] * 3


def test_statements_do_not_stall_the_loop(tell):
    def read_much(session):
        for _ in range(50):
            stock(session)

    async def story(database):
        work, rounds = asyncio.gather(*[database.run("read", read_much) for _ in range(4)]), 0
        while not work.done():
            await asyncio.sleep(0)
            rounds += 1
        await work
        return rounds

    assert tell(story) > 20


def test_slow_work_of_several_goes_on_at_once(tell):
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def meet():
        meeting.wait()
        return "done"

    def hash_something(session):
        stock(session)
        session.close()
        answer = run_in_thread(meet)
        return answer, stock(session)

    async def story(database):
        return await asyncio.gather(*[database.run("write", hash_something) for _ in range(4)])

    assert tell(story) == [("done", 100)] * 4


def test_what_slow_work_raises_is_raised_here(tell):
    def divide(session):
        try:
            run_in_thread(lambda: 1 // 0)
        except ZeroDivisionError:
            return "caught"

    async def story(database):
        return await database.run("read", divide)

    assert tell(story) == "caught"


def test_what_is_done_beforehand_holds_up_no_other_writer(tell):
    def take_and_hash(session, database, loop, seen):
        def hash_something(name):
            # On SQLite, with its one writer, this would wait in vain for the unit that asked for the hash.
            asyncio.run_coroutine_threadsafe(database.run("write", take_one), loop).result(timeout=3)
            return f"hash of {name}"

        seen.append(take_one(session))
        return [
            run_outside_transaction(session, calls.setdefault(name, hash_something), name) for name in ("one", "two")
        ]

    calls = {}

    async def story(database):
        loop, seen = asyncio.get_running_loop(), []
        hashes = await database.run("write", lambda session: take_and_hash(session, database, loop, seen))
        assert (hashes, seen) == (["hash of one", "hash of two"], [99, 98, 97])
        return await database.run("read", stock)

    assert tell(story) == 97


def test_what_is_done_beforehand_is_done_at_once_where_nothing_is_held(tell):
    def hash_something(session):
        tries.append(1)
        return run_outside_transaction(session, run_in_thread, str, "done"), stock(session)

    tries = []

    async def story(database):
        return await database.run("repeatable_read", hash_something)

    assert (tell(story), tries) == (("done", 100), [1])


def test_outside_a_unit_of_work_it_is_a_plain_call():
    assert run_in_thread(str, "here") == "here"


def test_context_reaches_the_unit_of_work_and_what_steps_aside(tell):
    request_id = ContextVar("request_id")

    async def one(database, number):
        request_id.set(number)
        return await database.run(
            "read", lambda session: (request_id.get(), run_in_thread(request_id.get), request_id.get())
        )

    async def story(database):
        return await asyncio.gather(*[asyncio.create_task(one(database, number)) for number in range(8)])

    assert tell(story) == [(number,) * 3 for number in range(8)]
