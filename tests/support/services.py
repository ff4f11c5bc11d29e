"""The services on a database of each kind, and what main gives them."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from accord.identity import accounts, sessions
from accord.identity.access_tokens import AccessTokens
from accord.identity.authentication import verify_access_token
from accord.identity.passwords import PasswordHasher
from accord.identity.revocation_list import RevocationList
from accord.identity.signing_keys import JwkSet, SigningKey, SigningKeys
from db.database import open_database
from tests.support.databases import KINDS, migrated_database

ROLES = {"customer": ["account"], "admin": ["account", "users"]}
PASSWORD = "correct horse battery staple"
NAMES = ("vinod", "VINOD", "Straße", "STRASSE", "Äpfel", "a\N{COMBINING DIAERESIS}pfel", "Ольга", "ольга")
"""Fewer names than there are ways to write them."""


class Service:
    """One server: `service(function, …)` is a write unit of work of the function, done by now."""

    def __init__(self, url):
        self.runner = asyncio.Runner()
        self.database = open_database(url, pool_size=4)
        self.passwords = PasswordHasher(memory_cost=8, time_cost=1)
        self.key = SigningKey.make()
        self.tokens = self.minting(key=self.key)
        self.revocations = self.another_server()
        self.numbers = count()

    def __call__(self, function, *arguments, **named):
        return self.runner.run(self.doing(function, *arguments, **named))

    async def doing(self, function, *arguments, **named):
        return await self.database.run("write", lambda session: function(session, *arguments, **named))

    def minting(self, **changes):
        key = changes.pop("key", None) or SigningKey.make()
        lifetimes = {"access_lifetime": timedelta(hours=1), "refresh_lifetime": timedelta(days=7), **changes}
        return AccessTokens(
            SigningKeys(JwkSet({key.id: key})),
            issuer="https://shop.example",
            audience="accord",
            roles=ROLES,
            **lifetimes,
        )

    def another_server(self):
        """What another server knows of revoked sessions."""

        async def read(moment):
            return await self.database.run("read", lambda session: sessions.revoked_since(session, moment))

        return RevocationList(read, token_lifetime=timedelta(hours=1))

    def register(self, **changes):
        number = next(self.numbers)
        named = {"username": f"user{number}", "email": f"user{number}@shop.example", "password": PASSWORD}
        return self(accounts.register, self.passwords, **{**named, **changes})

    def log_in(self, username, password=PASSWORD, **changes):
        tools = {"password_hasher": self.passwords, "access_tokens": self.tokens, **changes}
        return self(accounts.log_in, username=username, password=password, user_agent=None, **tools)

    def refresh(self, pair, tokens=None):
        return self(sessions.refresh, tokens or self.tokens, self.revocations, refresh_token=pair.refresh_token)

    async def last_use(self, session_id):
        return await self.database.run("read", lambda session: sessions.last_use(session, session_id))

    def caller(self, pair, revocations=None, tokens=None):
        async def verified():
            found = verify_access_token(
                pair.access_token, tokens or self.tokens, revocations or self.revocations, self.last_use
            )
            return await found if asyncio.iscoroutine(found) else found

        return self.runner.run(verified())

    def close(self):
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    service = Service(migrated_database(request.param, tmp_path_factory.mktemp("service")))
    yield service
    service.close()
