"""Greenlets are used again and again, and nothing of one use is left for the next."""

import asyncio
import gc
import traceback
import weakref

import pytest
from sqlalchemy.util import await_only

from db.drivers.greenlets import GreenletPool


def pause(answer, seconds=0.0):
    await_only(asyncio.sleep(seconds))
    return answer


def fail():
    await_only(asyncio.sleep(0))
    raise LookupError


def test_many_at_once_each_get_their_own_answer():
    async def story():
        greenlets = GreenletPool()
        for _ in range(2):
            answers = await asyncio.gather(*[greenlets.run(pause, n) for n in range(300)])
            assert answers == list(range(300))

    asyncio.run(story())


def test_what_is_raised_shows_where():
    async def story():
        greenlets = GreenletPool()
        for _ in range(3):
            with pytest.raises(LookupError) as raised:
                await greenlets.run(fail)
            assert [frame.name for frame in traceback.extract_tb(raised.tb)][-1] == "fail"
        assert await greenlets.run(pause, "fine") == "fine"

    asyncio.run(story())


def test_a_cancellation_is_raised_where_the_function_waits():
    cleaned_up = []

    def wait():
        try:
            pause(None, 10)
        finally:
            pause(None)
            cleaned_up.append(True)

    async def story():
        greenlets = GreenletPool()
        task = asyncio.create_task(greenlets.run(wait))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await greenlets.run(pause, "fine") == "fine"

    asyncio.run(story())
    assert cleaned_up == [True]


def test_arguments_and_answers_are_not_kept():
    class Thing:
        pass

    async def story():
        greenlets = GreenletPool()
        thing = Thing()
        seen = weakref.ref(thing)
        assert await greenlets.run(pause, thing) is thing
        del thing
        gc.collect()
        assert seen() is None

    asyncio.run(story())
