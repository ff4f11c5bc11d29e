"""Which keys are made, and that what takes something from their owner takes it from them."""

import asyncio
from inspect import isawaitable
from uuid import uuid4

import pytest

from accord.errors import Invalid
from accord.identity import api_keys, users
from accord.identity.api_key_cache import ApiKeyCache
from accord.identity.callers import Caller
from accord.identity.revocation_list import RevocationList
from tests.support.services import ROLES


class Server:
    """What one of several servers on a database knows of keys."""

    def __init__(self, service):
        self.service = service
        self.known = ApiKeyCache(self.read, self.record_use, roles=ROLES)
        self.revocations = RevocationList(
            self.read_revoked, token_lifetime=service.tokens.refresh_lifetime, on_change=self.known.clear
        )

    async def read(self, prefix):
        return await self.service.database.run("read", lambda session: api_keys.find_by_prefix(session, prefix))

    async def record_use(self, key_id):
        await self.service.database.run("write", lambda session: api_keys.record_use(session, key_id))

    async def read_revoked(self, moment):
        return []

    def caller(self, key):
        async def found():
            caller = self.known.authenticate(key)
            return await caller if isawaitable(caller) else caller

        return self.service.runner.run(found())


@pytest.fixture
def server(service):
    return Server(service)


@pytest.fixture
def owner(service):
    user = service.register()
    service(users.update, service.passwords, service.revocations, uuid4(), user.id, role="admin")
    return Caller(user.id, uuid4(), "admin", frozenset(ROLES["admin"]))


def test_nobody_makes_a_key_that_may_more_than_they(service, owner):
    with pytest.raises(Invalid) as refused:
        service(api_keys.create, owner, name="All", scopes=["users", "audit", "files"])
    assert [error.pointer for error in refused.value.errors] == ["/scopes/1", "/scopes/2"]


def test_key_loses_at_once_what_its_owner_loses(service, server, owner):
    key = service(api_keys.create, owner, name="Users", scopes=["users"])["key"]
    second = service.register()
    service(users.update, service.passwords, service.revocations, uuid4(), second.id, role="admin")

    def change(**changes):
        service(users.update, service.passwords, server.revocations, second.id, owner.id, **changes)

    assert server.caller(key).scopes == {"users"}
    change(role="customer")
    assert server.caller(key).scopes == set()
    change(is_active=False)
    assert server.caller(key) is None
    change(is_active=True, role="admin")
    assert server.caller(key).scopes == {"users"}
    service(users.delete, server.revocations, second.id, owner.id)
    assert server.caller(key) is None


def test_key_that_was_deleted_elsewhere_ends_within_a_second(service, server, owner):
    made, elsewhere = service(api_keys.create, owner, name="Users", scopes=["users"]), Server(service)
    assert elsewhere.caller(made["key"])
    service(api_keys.delete, server.known, owner.id, made["id"])
    service.runner.run(asyncio.sleep(0.55))
    assert elsewhere.caller(made["key"]) is None


def test_use_is_noted_without_changing_the_key(service, server, owner):
    made = service(api_keys.create, owner, name="Users", scopes=["users"])
    caller = server.caller(made["key"])
    for _ in range(100):
        service.runner.run(asyncio.sleep(0.05))
        key = service(api_keys.get, owner.id, caller.api_key_id)
        if key.last_used_at:
            break
    assert key.last_used_at > made["created_at"]
    assert (key.version, key.updated_at) == (1, made["updated_at"])
    service(api_keys.record_use, key.id)
    assert service(api_keys.get, owner.id, key.id).last_used_at == key.last_used_at
