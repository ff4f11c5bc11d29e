"""Slow work steps aside, and nobody else waits for it."""

import asyncio
import time
from contextvars import ContextVar

from db.unit_of_work import aside, beforehand
from tests.db.catalogue import stock, take_one


def slow(seconds, answer="done"):
    time.sleep(seconds)
    return answer


async def longest_stall(work):
    """How long the event loop did not come round while the work was going on."""
    task, stall = asyncio.ensure_future(work), 0.0
    while not task.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        stall = max(stall, time.monotonic() - before)
    await task
    return stall


def test_slow_work_does_not_stall_the_loop(tell):
    def hash_something(session):
        session.close()
        return aside(slow, 0.3)

    async def story(seam):
        return await longest_stall(asyncio.gather(*[seam.run("write", hash_something) for _ in range(3)]))

    assert tell(story) < 0.2


def test_statements_do_not_stall_the_loop(tell):
    def read_much(session):
        for _ in range(50):
            stock(session)

    async def story(seam):
        return await longest_stall(asyncio.gather(*[seam.run("read", read_much) for _ in range(4)]))

    assert tell(story) < 0.2


def test_slow_work_of_several_goes_on_at_once(tell):
    def hash_something(session):
        stock(session)
        session.close()
        answer = aside(slow, 0.3)
        return answer, stock(session)

    async def story(seam):
        started = time.monotonic()
        answers = await asyncio.gather(*[seam.run("write", hash_something) for _ in range(4)])
        assert answers == [("done", 100)] * 4
        return time.monotonic() - started

    assert tell(story) < 0.9


def test_what_slow_work_raises_is_raised_here(tell):
    def divide(session):
        try:
            aside(lambda: 1 // 0)
        except ZeroDivisionError:
            return "caught"

    async def story(seam):
        return await seam.run("read", divide)

    assert tell(story) == "caught"


def test_what_is_done_beforehand_holds_up_no_other_writer(tell):
    def take_and_hash(session, seam, loop, seen):
        def hash_something(name):
            # On SQLite, with its one writer, this would wait in vain for the unit that asked for the hash.
            asyncio.run_coroutine_threadsafe(seam.run("write", take_one), loop).result(timeout=3)
            return f"hash of {name}"

        seen.append(take_one(session))
        return [beforehand(session, calls.setdefault(name, hash_something), name) for name in ("one", "two")]

    calls = {}

    async def story(seam):
        loop, seen = asyncio.get_running_loop(), []
        hashes = await seam.run("write", lambda session: take_and_hash(session, seam, loop, seen))
        assert (hashes, seen) == (["hash of one", "hash of two"], [99, 98, 97])
        return await seam.run("read", stock)

    assert tell(story) == 97


def test_what_is_done_beforehand_is_done_at_once_where_nothing_is_held(tell):
    def hash_something(session):
        tries.append(1)
        return beforehand(session, aside, slow, 0.01), stock(session)

    tries = []

    async def story(seam):
        return await seam.run("guarded", hash_something)

    assert (tell(story), tries) == (("done", 100), [1])


def test_outside_a_unit_of_work_it_is_a_plain_call():
    assert aside(slow, 0, "here") == "here"


def test_context_reaches_the_unit_of_work_and_what_steps_aside(tell):
    request_id = ContextVar("request_id")

    async def one(seam, number):
        request_id.set(number)
        return await seam.run("read", lambda session: (request_id.get(), aside(request_id.get), request_id.get()))

    async def story(seam):
        return await asyncio.gather(*[asyncio.create_task(one(seam, number)) for number in range(8)])

    assert tell(story) == [(number,) * 3 for number in range(8)]
