"""What is known of revoked sessions is never older than promised, and when it cannot be renewed nobody comes in."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from uuid import UUID, uuid4

import pytest

from accord.identity import revocation_list as module
from accord.identity.access_tokens import AccessTokens
from accord.identity.authentication import verify_access_token
from accord.identity.callers import Caller
from accord.identity.revocation_list import RevocationList
from accord.identity.signing_keys import JwkSet, SigningKey, SigningKeys

HOUR = timedelta(hours=1)
SESSION = uuid4()


class Database:
    """What all servers share: who was revoked when; it can be slow, and away."""

    def __init__(self):
        self.revoked: dict[UUID, datetime] = {}
        self.asked: list[datetime] = []
        self.error = None
        self.delay = 0

    async def read(self, moment):
        self.asked.append(moment)
        found = [session_id for session_id, at in self.revoked.items() if at >= moment]
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        return found


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def known(database):
    return RevocationList(database.read, token_lifetime=HOUR)


@pytest.fixture(scope="module")
def tokens():
    key = SigningKey.make()
    return AccessTokens(
        SigningKeys(JwkSet({key.id: key})),
        issuer="https://shop.example",
        audience="accord",
        access_lifetime=HOUR,
        refresh_lifetime=HOUR,
        roles={"customer": ["account"]},
    )


@pytest.fixture
def token(tokens):
    return tokens.issue(uuid4(), SESSION, "customer")


def is_current(known):
    return time.monotonic() < known.fresh_until


def test_nothing_is_known_before_it_was_read(known):
    assert not is_current(known)


def test_what_was_read_is_known_for_half_a_second(known, database):
    database.revoked[SESSION] = datetime.now(UTC)
    asyncio.run(known.refresh())
    assert is_current(known)
    assert SESSION in known
    assert uuid4() not in known
    time.sleep(0.55)
    assert not is_current(known)


def test_all_who_wait_share_one_reading(known, database):
    database.delay = 0.05

    async def many():
        await asyncio.gather(*(known.refresh() for _ in range(50)))

    asyncio.run(many())
    assert len(database.asked) == 1


def test_a_slow_reading_is_not_taken_for_a_fresh_one(known, database):
    database.delay = 0.7

    async def late():
        first = asyncio.create_task(known.refresh())
        await asyncio.sleep(0.6)
        database.revoked[SESSION] = datetime.now(UTC)
        await known.refresh()
        assert SESSION in known
        await first

    asyncio.run(late())
    assert len(database.asked) == 2


def test_one_who_goes_away_does_not_take_the_reading_along(known, database):
    database.delay = 0.05

    async def leave():
        first, second = asyncio.create_task(known.refresh()), asyncio.create_task(known.refresh())
        await asyncio.sleep(0.01)
        first.cancel()
        await second
        assert is_current(known)

    asyncio.run(leave())
    assert len(database.asked) == 1


def test_later_readings_ask_for_what_is_new_only(known, database):
    asyncio.run(known.refresh())
    time.sleep(0.55)
    asyncio.run(known.refresh())
    first, second = database.asked
    assert datetime.now(UTC) - first > HOUR
    assert timedelta(minutes=1) < datetime.now(UTC) - second < timedelta(minutes=5)


def test_a_revocation_committed_late_is_seen(known, database):
    asyncio.run(known.refresh())
    database.revoked[SESSION] = datetime.now(UTC) - timedelta(minutes=1)
    time.sleep(0.55)
    asyncio.run(known.refresh())
    assert SESSION in known


def test_what_was_revoked_here_is_known_at_once(known):
    known.add([SESSION])
    assert SESSION in known


def test_what_no_token_can_speak_of_any_more_is_forgotten(database, monkeypatch):
    monkeypatch.setattr(module, "_OVERLAP", timedelta(0))
    known = RevocationList(database.read, token_lifetime=timedelta(seconds=0.05))
    known.add([SESSION])
    time.sleep(0.1)
    known.add([other := uuid4()])
    assert SESSION not in known
    assert other in known


def test_what_the_database_still_has_is_not_forgotten(database, monkeypatch):
    """A clock that is set back prolongs the tokens, and the database has their revocation as long as they live."""
    monkeypatch.setattr(module, "_OVERLAP", timedelta(0))
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_COMPLETE_READS", 0.05)
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0)
    known = RevocationList(database.read, token_lifetime=timedelta(seconds=0.2))
    database.revoked[SESSION] = datetime.now(UTC) + HOUR
    for _ in range(6):
        asyncio.run(known.refresh())
        assert SESSION in known
        time.sleep(0.1)


def test_when_reading_fails_all_who_wait_are_told(known, database):
    database.error = OSError("away")

    async def many():
        return await asyncio.gather(*(known.refresh() for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(many())] == ["away"] * 3
    assert not is_current(known)
    database.error = None
    asyncio.run(known.refresh())
    assert is_current(known)


async def last_use(session_id):
    raise AssertionError(f"{session_id} was asked for, although no token is of the future")


def test_a_token_is_verified_without_waiting_while_all_is_current(tokens, token, known):
    asyncio.run(known.refresh())
    assert isinstance(verify_access_token(token, tokens, known, last_use), Caller)


def test_a_token_waits_for_knowledge_that_is_current(tokens, token, known):
    found = verify_access_token(token, tokens, known, last_use)
    assert isawaitable(found)

    async def awaited():
        return await found

    assert asyncio.run(awaited()).session_id == SESSION


@pytest.mark.parametrize("read_before", [True, False])
def test_a_token_of_a_revoked_session_is_refused(tokens, token, known, database, read_before):
    database.revoked[SESSION] = datetime.now(UTC)
    if read_before:
        asyncio.run(known.refresh())

    async def verified():
        found = verify_access_token(token, tokens, known, last_use)
        return await found if isawaitable(found) else found

    assert asyncio.run(verified()) is None


def test_a_token_that_cannot_be_checked_is_not_let_in(tokens, token, known, database):
    database.error = OSError("away")

    async def verified():
        await verify_access_token(token, tokens, known, last_use)

    with pytest.raises(OSError, match="away"):
        asyncio.run(verified())


def test_a_bad_token_asks_nobody(tokens, known, database):
    assert verify_access_token("bad", tokens, known, last_use) is None
    assert not database.asked
