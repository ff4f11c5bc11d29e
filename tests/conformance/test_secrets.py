"""What callers say in confidence is in nothing that the service says of itself."""

import hashlib
import json
import re
import time
from uuid import uuid4

import pytest

from tests.support.operations import GETS, OPERATIONS, WRITES
from tests.support.write_operations import Writer

SECRET = re.compile("password|secret|token$|key$")
SOON = 1.5
"""Seconds after which everything that is to be said was said."""
CANARY = "canary"


@pytest.fixture(scope="module")
def answers(ask, known, client):
    """The answers of every operation, when it succeeds and when it does not, to callers who say secrets everywhere."""
    write = Writer(ask, known)
    answers = [write(operation, headers=_secret_headers()) for operation in WRITES]
    for operation in OPERATIONS:
        path = f"{operation.unknown()}?q={CANARY}-{uuid4()}&nothing={CANARY}"
        answers.append(client.request(operation.method, path, headers=_secret_headers(), undeclared=True))
        own = {"X-API-Key": f"{CANARY}-{uuid4()}"}
        answers.append(client.request(operation.method, path, headers=_secret_headers() | own, undeclared=True))
        answers.append(client.request("TRACE", path, content=CANARY, headers=_secret_headers(), undeclared=True))
        if operation.body is not None:
            body = json.dumps({"password": f"{CANARY} {uuid4()}", "refresh_token": f"{CANARY} {uuid4()}"})
            headers = {"Content-Type": "application/json", **_secret_headers()}
            answers.append(ask(operation, content=body, headers=headers, undeclared=True))
            answers.append(ask(operation, content=body[:-1], headers=headers, undeclared=True))
    answers += [ask(operation, path=known(operation), headers=_secret_headers()) for operation in GETS]
    time.sleep(SOON)
    return answers


@pytest.fixture(scope="module")
def secrets(answers, tokens):
    found = {CANARY, *tokens.values()}
    for answer in answers:
        sent = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
        found |= {sent, *_secrets(_json(answer.request)), *_secrets(_json(answer))}
    assert len(found) > 20
    found.discard("")
    return found | {hashlib.sha256(secret.encode()).hexdigest() for secret in found} | {"$argon2"}


def test_log_tells_no_secret(answers, secrets, server):
    log = server.log.read_text()
    assert log.count('"logger":"access"') > len(answers) / 2
    assert [secret for secret in secrets if secret in log] == []


def test_metrics_tell_no_secret(answers, secrets, ask):
    text = ask(next(operation for operation in OPERATIONS if operation.id == "get_metrics")).text
    assert "accord_http_requests_total" in text
    assert [secret for secret in secrets if secret in text] == []


def test_no_event_tells_a_secret(answers, secrets, ask, client):
    for text in _events(ask, client):
        assert [secret for secret in secrets if secret in text] == []


def test_problems_tell_no_secret(answers, secrets):
    problems = [answer for answer in answers if answer.status_code >= 400]
    assert len(problems) > len(OPERATIONS)
    assert [(p.text, secret) for p in problems for secret in secrets if secret in p.text] == []


def _events(ask, client):
    listing = next(operation for operation in OPERATIONS if operation.id == "list_audit_events")
    answer = ask(listing, path=listing.path, params={"per_page": 100})
    token = {"Authorization": answer.request.headers["Authorization"]}
    yield answer.text
    while following := answer.json()["_links"].get("next"):
        answer = client.get(following["href"], headers=token)
        yield answer.text


def _secret_headers():
    names = ("Cookie", "X-Secret", "Proxy-Authorization", "Referer")
    return {name: f"{CANARY}-{uuid4()}" for name in names}


def _json(message):
    if message.headers.get("Content-Type") != "application/json":
        return None
    try:
        return json.loads(message.content)
    except ValueError:
        return None


def _secrets(value):
    """The values, at any depth, of members whose names say that they are secret."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from [inner] if SECRET.search(name) and isinstance(inner, str) else _secrets(inner)
        case list():
            for inner in value:
                yield from _secrets(inner)
