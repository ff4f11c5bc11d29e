"""An idempotency key stands for one effect, however often and however close together it comes."""

import asyncio
from datetime import timedelta

import pytest

from db.columns import utc_now
from db.errors import DatabaseUnavailable, RequestInProgress
from db.idempotency import IdempotencyStore, StoredResponse
from db.models import IdempotencyKey
from tests.db.catalogue import count, meanwhile, product

KEYS = IdempotencyStore(timedelta(hours=24))
NAME = {"caller": "user:1", "operation": "create_product", "key": "9f1c"}
ANSWER = {"status": 201, "headers": [("location", "/products/1"), ("etag", '"é"')], "body": b'{"id": "\xc3\xa9"}'}


def create(number, session, *, keys=KEYS, fail=False):
    """Create a product once; what a repetition gets is the first one's answer."""
    kept = keys.claim(session, **NAME, fingerprint="f")
    if kept:
        return kept.body, "replayed"
    session.add(product(f"SKU-{number}"))
    session.flush()
    if fail:
        raise LookupError
    keys.save(session, **NAME, status=201, headers=[], body=b"%d" % number)
    return b"%d" % number, "created"


@pytest.mark.parametrize("mode", ["write", "repeatable_read"])
def test_twins_have_one_effect_and_the_same_answer(tell, mode):
    async def story(database):
        for round_ in range(5):
            NAME["key"] = f"{mode}-{round_}"
            answers = await asyncio.gather(*[database.run(mode, create, 100 * round_ + n) for n in range(8)])
            assert len({body for body, _ in answers}) == 1
            assert sorted(how for _, how in answers) == ["created"] + ["replayed"] * 7
        return await database.run("read", count)

    assert tell(story) == 1 + 5


def test_the_answer_comes_back_as_it_was(tell):
    async def story(database):
        def first(session):
            assert KEYS.claim(session, **NAME, fingerprint="f") is None
            KEYS.save(session, **NAME, **ANSWER)

        await database.run("write", first)
        return await database.run("write", lambda session: KEYS.claim(session, **NAME, fingerprint="other"))

    assert tell(story) == StoredResponse("f", **ANSWER)


@pytest.mark.parametrize("part", ["caller", "operation", "key"])
def test_each_caller_operation_and_key_is_its_own(tell, part):
    async def story(database):
        await database.run("write", create, 1)
        return await database.run(
            "write", lambda session: KEYS.claim(session, **(NAME | {part: "another"}), fingerprint="f")
        )

    assert tell(story) is None


def test_a_failure_keeps_no_key(tell):
    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", lambda session: create(1, session, fail=True))
        return await database.run("write", create, 2), await database.run("read", count)

    assert tell(story) == ((b"2", "created"), 2)


@pytest.mark.parametrize("mode", ["write", "repeatable_read"])
def test_a_key_whose_lifetime_is_over_is_free_again_and_once_only(tell, mode):
    async def story(database):
        await database.run("write", create, 1)
        await database.run("write", age, timedelta(hours=25))
        answers = await asyncio.gather(*[database.run(mode, create, n) for n in range(2, 10)])
        assert sorted(how for _, how in answers) == ["created"] + ["replayed"] * 7
        return await database.run("read", count)

    assert tell(story) == 3


def test_purging_deletes_what_is_over(tell):
    async def story(database):
        await database.run("write", create, 1)
        await database.run("write", KEYS.purge)
        assert await database.run("write", create, 2) == (b"1", "replayed")
        await database.run("write", age, timedelta(hours=25))
        await database.run("write", KEYS.purge)
        return await database.run("read", lambda session: session.get(IdempotencyKey, tuple(NAME.values())))

    assert tell(story) is None


def test_a_twin_that_waits_too_long_is_told_so(tell):
    def linger(loop, session):
        create(1, session)
        meanwhile(asyncio.sleep(0.5), loop)

    async def story(database):
        first = asyncio.create_task(database.run("write", linger, asyncio.get_running_loop()))
        await asyncio.sleep(0.1)
        # SQLite has one writer, so the twin does not even come to look for the key.
        with pytest.raises(DatabaseUnavailable if tell.kind == "sqlite" else RequestInProgress):
            await database.run("write", create, 2)
        await first
        return await database.run("write", create, 3)

    assert tell(story, statement_timeout=0.3, pool_timeout=0.2) == (b"1", "replayed")


def test_a_key_without_an_answer_is_in_flight(tell):
    async def story(database):
        def claim(session):
            return KEYS.claim(session, **NAME, fingerprint="f")

        await database.run("write", claim)
        with pytest.raises(RequestInProgress):
            await database.run("write", claim)

    tell(story)


def age(by, session):
    session.get(IdempotencyKey, tuple(NAME.values())).created_at = utc_now() - by
