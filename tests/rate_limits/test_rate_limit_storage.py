"""What counts requests counts the same way, wherever it does; and goes on when Redis does not."""

import asyncio
import logging
from itertools import count
from time import monotonic

import pytest

from accord.engine.policies.rate_limits import Window
from accord.rate_limits.memory import MemoryStorage
from accord.rate_limits.redis import RedisStorage


def window(amount, seconds=60, counter="all"):
    return Window(counter, f"{counter}:{seconds}", counter, amount, seconds, "", lambda request: "")


@pytest.fixture(params=["memory", "redis"])
def counting(request):
    """Run what counts with a storage of each kind."""
    if request.param == "memory":
        return lambda story: asyncio.run(story(MemoryStorage()))
    url = request.getfixturevalue("redis").url
    return lambda story: asyncio.run(with_redis(url, lambda storage: without_falling_back(storage, story), timeout=30))


async def without_falling_back(storage, story):
    told = await story(storage)
    assert storage.fallbacks == 0
    return told


async def with_redis(url, story, **options):
    storage = RedisStorage(url, **options)
    try:
        return await story(storage)
    finally:
        await storage.close()


def test_as_many_as_there_may_be_are_granted(counting):
    async def story(storage):
        return [await storage.hit([window(2)], ["vinod"]) for _ in range(3)]

    granted, counts = zip(*counting(story), strict=True)
    assert granted == (True, True, False)
    assert [used for ((used, _),) in counts] == [1, 2, 2]
    assert all(59 < left <= 60 for ((_, left),) in counts)


def test_window_ends_and_another_begins(counting):
    async def story(storage):
        seen = []
        for pause in (0, 0.5, 0.6):
            await asyncio.sleep(pause)
            seen.append(await storage.hit([window(1, 1)], ["vinod"]))
        return seen

    (first, _), (second, ((_, left),)), (third, _) = counting(story)
    assert (first, second, third) == (True, False, True)
    assert 0 < left <= 0.5


def test_each_is_counted_apart(counting):
    async def story(storage):
        taken = [("reading", "vinod"), ("reading", "john"), ("writing", "vinod"), ("reading", "vinod")]
        return [(await storage.hit([window(1, counter=counter)], [who]))[0] for counter, who in taken]

    assert counting(story) == [True, True, True, False]


def test_one_full_window_keeps_the_others_as_they_are(counting):
    async def story(storage):
        await storage.hit([window(1)], ["vinod"])
        refused, seen = await storage.hit([window(5, counter="total"), window(1)], ["vinod", "vinod"])
        granted, ((used, _),) = await storage.hit([window(5, counter="total")], ["vinod"])
        return refused, [used for used, _ in seen], granted, used

    assert counting(story) == (False, [0, 1], True, 1)


def test_no_more_are_granted_to_many_at_once(counting):
    async def story(storage):
        return await asyncio.gather(*(storage.hit([window(7)], ["vinod"]) for _ in range(40)))

    assert sum(granted for granted, _ in counting(story)) == 7


def test_memory_forgets_what_is_over_and_what_is_too_much():
    clock = iter([0.0, 1.0, 2.0, 61.5, 62.0])
    memory = MemoryStorage(max_counters=2, clock=lambda: next(clock))

    async def story():
        for who in ("first", "second", "third"):
            await memory.hit([window(1)], [who])
        assert kept(memory) == ["second", "third"]
        await memory.hit([window(1)], ["fourth"])
        assert kept(memory) == ["third", "fourth"]
        return (await memory.hit([window(1)], ["third"]))[0]

    assert asyncio.run(story())


def kept(memory):
    (counts,) = memory._counters.values()
    return list(counts)


def test_all_windows_of_a_request_are_one_round_trip(redis):
    async def story(storage):
        await storage.hit([window(9)], ["vinod"])
        before = redis.commands()
        for _ in range(5):
            await storage.hit([window(9), window(9, counter="total")], ["vinod", "vinod"])
        return redis.commands() - before

    assert asyncio.run(with_redis(redis.url, story)) == 5


def test_processes_count_together(redis):
    async def story(storage, other):
        storages = [storage, other] * 20
        return await asyncio.gather(*(each.hit([window(10)], ["vinod"]) for each in storages))

    async def both(storage):
        return await with_redis(redis.url, lambda other: story(storage, other), timeout=30)

    assert sum(granted for granted, _ in asyncio.run(with_redis(redis.url, both, timeout=30))) == 10


@pytest.mark.parametrize(("leave", "return_"), [("kill", "start"), ("pause", "resume")])
def test_redis_that_is_away_is_done_without_and_taken_back(redis, caplog, leave, return_):
    caplog.set_level(logging.INFO, "accord.rate_limits")

    async def story(storage):
        assert (await storage.hit([window(1)], ["vinod"]))[0]
        getattr(redis, leave)()
        began = monotonic()
        answers = [await storage.hit([window(2)], ["vinod"]) for _ in range(20)]
        assert monotonic() - began < 5, "Each of them waited for a Redis that is away."
        assert sum(granted for granted, _ in answers) == 2
        assert storage.fallbacks == 20
        getattr(redis, return_)()
        for fallbacks in count(21):
            await asyncio.sleep(0.1)
            await storage.hit([window(99)], ["vinod"])
            if storage.fallbacks < fallbacks:
                return

    asyncio.run(with_redis(redis.url, story, timeout=0.5, retry_interval=0.1))
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("Redis does not answer (")
    assert last == "Redis answers again; rate limits are counted there."
