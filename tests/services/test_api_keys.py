"""Which keys are made, and that what takes something from their owner takes it from them."""

import asyncio
from inspect import isawaitable
from uuid import uuid4

import pytest

from accord.errors import Invalid
from accord.identity import api_keys, users
from accord.identity.access_tokens import Caller
from accord.identity.api_key_cache import KnownKeys
from accord.identity.revocation_list import Revocations
from tests.services.conftest import ROLES


class Server:
    """What one of several servers on a database knows of keys."""

    def __init__(self, service):
        self.service = service
        self.known = KnownKeys(self.read, self.note_use, roles=ROLES)
        self.revocations = Revocations(
            self.read_revoked, token_lifetime=service.tokens.refresh_lifetime, tell=self.known.forget
        )

    async def read(self, prefix):
        return await self.service.seam.run("read", lambda session: api_keys.look_up(session, prefix))

    async def note_use(self, key_id):
        await self.service.seam.run("write", lambda session: api_keys.note_use(session, key_id))

    async def read_revoked(self, moment):
        return []

    def caller(self, key):
        async def found():
            caller = self.known.caller(key)
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
    assert [fault.pointer for fault in refused.value.each] == ["/scopes/1", "/scopes/2"]


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
        key = service(api_keys.get, owner.id, caller.key)
        if key.last_used_at:
            break
    assert key.last_used_at > made["created_at"]
    assert (key.version, key.updated_at) == (1, made["updated_at"])
    service(api_keys.note_use, key.id)
    assert service(api_keys.get, owner.id, key.id).last_used_at == key.last_used_at
