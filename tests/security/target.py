"""The service as those see it who mean it no good."""

import itertools
import re
from functools import cached_property
from ipaddress import IPv4Address

import pytest

from tests.support.operations import OPERATIONS
from tests.support.write_operations import Somebody, Writer

LEAK = re.compile(
    r'Traceback|File "|site-packages|sqlalchemy|sqlite3|asyncpg|uvicorn|connexion|werkzeug|\$argon2|/tmp/|root:x:',
    re.IGNORECASE,
)
"""What tells strangers how the program is made, or where it runs."""
on_one = pytest.mark.parametrize("server", ["sqlite"], indirect=True)
"""For items where it does not matter what the database is."""
_numbers = itertools.count(1)


class Target:
    """A shop, somebody who has things in it, and somebody who wants to get at them."""

    def __init__(self, client, shop, ask=None, known=None, key=None, tokens=None):
        self.client, self.shop, self.ask, self.known, self.key, self.tokens = client, shop, ask, known, key, tokens
        self.answers = []
        """All that `send` was answered."""

    @cached_property
    def victim(self):
        return Somebody(self.ask, self.known)

    @cached_property
    def intruder(self):
        return Somebody(self.ask, self.known)

    @cached_property
    def admin(self):
        return Writer(self.ask, self.known)

    def send(self, method, path, token=None, *, key=None, headers=None, **options):
        """The answer to a request of any kind: never a failure, and never more than callers are to know."""
        credentials = {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": key} if key else {}
        answer = self.client.request(method, path, headers={**credentials, **(headers or {})}, **options)
        self.answers.append(answer)
        assert answer.status_code < 500, f"{method} {path} {options} failed: {answer.text}"
        told = LEAK.search(answer.text) if "json" in answer.headers.get("Content-Type", "") else None
        assert not told, f"{method} {path} {options} told {told}"
        return answer

    def refused(self, *request, **options):
        """The answer to what must be refused."""
        answer = self.send(*request, **options)
        assert answer.is_client_error, f"{request} {options} got {answer.status_code} {answer.text[:500]}"
        return answer

    def log(self):
        return self.shop.server.log.read_text()


def named(name):
    return next(operation for operation in OPERATIONS if operation.id == name)


def somewhere():
    """An address that nobody has come from yet, as the proxy tells it."""
    return {"X-Forwarded-For": str(IPv4Address("203.0.0.0") + next(_numbers))}
