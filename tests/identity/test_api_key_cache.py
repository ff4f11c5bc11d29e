"""Whom a key speaks for is asked seldom, never known from before a change here, and never older than half a second."""

import asyncio
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from uuid import uuid4

import pytest

from accord.identity.api_key_cache import ApiKeyCache, hash_of

PREFIX = "ak_mfzwizltnfxw"
KEY, WRONG, UNKNOWN = f"{PREFIX}_{'a' * 43}", f"{PREFIX}_{'b' * 43}", f"ak_nbswy3dpeb3w_{'a' * 43}"
ROLES = {"customer": ["tasks"], "manager": ["tasks", "tasks:all"]}


class Database:
    """What all servers share; it can be slow, and away."""

    def __init__(self):
        self.row = {
            "id": uuid4(), "owner_id": uuid4(), "role": "manager", "scopes": ["tasks", "tasks:all"], "expires_at": None,
            "key_hash": hash_of(KEY), "previous_hash": None, "previous_until": None, "last_used_at": None,
        }  # fmt: skip
        self.asked, self.noted = [], []
        self.delay = 0
        self.error = None

    async def read(self, prefix):
        self.asked.append(prefix)
        found = dict(self.row) if self.row and prefix == PREFIX else None
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        return found

    async def record_use(self, key_id):
        self.noted.append(key_id)
        if self.error:
            raise self.error


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def known(database):
    return ApiKeyCache(database.read, database.record_use, roles=ROLES)


async def found(known, key=KEY):
    caller = known.authenticate(key)
    return await caller if isawaitable(caller) else caller


def test_key_speaks_for_its_owner(known, database):
    caller = asyncio.run(found(known))
    assert (caller.id, caller.api_key_id, caller.session_id) == (database.row["owner_id"], database.row["id"], None)


@pytest.mark.parametrize(("role", "scopes"), [("manager", {"tasks", "tasks:all"}), ("customer", {"tasks"})])
def test_key_reaches_what_its_owner_reaches_today(known, database, role, scopes):
    database.row["role"] = role
    assert asyncio.run(found(known)).scopes == scopes


def test_database_is_asked_once_in_half_a_second(known, database):
    async def often():
        first = await found(known)
        assert not isawaitable(known.authenticate(KEY))
        assert known.authenticate(KEY) == first
        await asyncio.sleep(0.55)
        again = known.authenticate(KEY)
        assert isawaitable(again)
        await again

    asyncio.run(often())
    assert database.asked == [PREFIX] * 2


def test_what_was_taken_away_elsewhere_is_known_within_a_second(known, database):
    async def taken():
        await found(known)
        database.row = None
        await asyncio.sleep(0.55)
        assert await found(known) is None

    asyncio.run(taken())


def test_what_was_changed_here_is_known_at_once_also_while_it_was_being_read(known, database):
    database.delay = 0.05

    async def changed():
        reading = asyncio.create_task(found(known))
        await asyncio.sleep(0.01)
        database.row = None
        known.clear()
        await reading
        assert await found(known) is None

    asyncio.run(changed())


def test_wrong_secret_costs_what_an_unknown_prefix_costs(known, database):
    async def wrong():
        assert await found(known)
        for key in (WRONG, UNKNOWN, WRONG, UNKNOWN):
            assert await found(known, key) is None

    asyncio.run(wrong())
    assert len(database.asked) == 5


@pytest.mark.parametrize("key", ["", PREFIX, KEY[:-1], KEY + "a", KEY.upper(), KEY.replace("_", "-"), f"{KEY}, {KEY}"])
def test_what_is_no_key_asks_nobody(known, database, key):
    assert known.authenticate(key) is None
    assert database.asked == []


@pytest.mark.parametrize("member", ["expires_at", "previous_until"])
def test_end_is_kept_to_the_moment_also_while_the_key_is_remembered(known, database, member):
    database.row[member] = datetime.now(UTC) + timedelta(seconds=0.2)
    if member == "previous_until":
        database.row |= {"key_hash": hash_of(WRONG), "previous_hash": hash_of(KEY)}

    async def ended():
        assert await found(known)
        await asyncio.sleep(0.2)
        assert known.authenticate(KEY) is None

    asyncio.run(ended())


def test_use_is_noted_once_a_minute(known, database):
    async def used():
        for _ in range(3):
            await found(known)
            known.clear()
        await asyncio.sleep(0)

    asyncio.run(used())
    assert database.noted == [database.row["id"]]


def test_use_that_another_server_has_noted_is_not_noted_again(known, database):
    database.row["last_used_at"] = datetime.now(UTC) - timedelta(seconds=50)
    asyncio.run(found(known))
    assert database.noted == []


def test_nobody_is_refused_because_a_use_cannot_be_noted(known, database, caplog):
    async def used():
        caller = await found(known)
        database.error = OSError("full")
        await asyncio.sleep(0)
        return caller

    assert asyncio.run(used()) is not None
    assert f"The use of the API key {database.row['id']} could not be recorded: full" in caplog.text


def test_key_that_cannot_be_checked_is_not_let_in(known, database):
    database.error = OSError("away")
    with pytest.raises(OSError, match="away"):
        asyncio.run(found(known))
