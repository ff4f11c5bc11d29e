"""What is deleted and can be restored: till it is, it is nowhere, and what was its own is free."""

import json
import re

import pytest

from tests.support.operations import LISTS, OPERATIONS, about, at, each
from tests.support.pagination import LONGEST, ids, looks
from tests.support.write_operations import Writer

RESTORATIONS = [o for o in OPERATIONS if o.path.endswith("/restoration")]


@pytest.fixture(scope="module")
def write(ask, known):
    return Writer(ask, known)


@each(RESTORATIONS)
def test_what_is_deleted_is_nowhere_and_comes_back_as_it_was(write, ask, operation):
    template = operation.path.removesuffix("/restoration")
    path, get, delete = write.made(template), at("GET", template), at("DELETE", template)
    others = [(other, where) for other, where in about(path) if other != operation]
    for other, where in others:
        if where != path and other.method in ("POST", "PUT"):
            ask(other, path=where, **_sent(write, other))
    read = ask(get, path=path)
    before, lists = _reads(ask, others), list(_lists(ask, read.json()))
    assert lists
    assert ask(operation, path=f"{path}/restoration").status_code == 404

    assert ask(delete, path=path).status_code == 204
    for other, where in others:
        sent = _sent(write, other)
        tags = [{"If-Match": read.headers["ETag"]}] if "If-Match" in other.names("header") else []
        assert {ask(other, path=where, headers=tag, **sent).status_code for tag in [{}, *tags]} == {404}, other.id
    assert [asked for asked in lists if _is_in(ask, read.json(), *asked)] == []

    assert ask(operation, path=f"{path}/restoration").status_code == 200
    assert _reads(ask, others) == before
    assert [asked for asked in lists if not _is_in(ask, read.json(), *asked)] == []


@each(RESTORATIONS)
def test_what_nobody_shares_is_free_until_somebody_has_it(write, ask, operation):
    template = operation.path.removesuffix("/restoration")
    creation, get, delete = at("POST", template.rpartition("/")[0]), at("GET", template), at("DELETE", template)
    created = write(creation)
    body, path = json.loads(created.request.content), created.headers["Location"]
    is_alone = ask(creation, path=creation.path, json=body).status_code == 409
    ask(delete, path=path)
    twin = ask(creation, path=creation.path, json=body)
    assert twin.status_code == 201
    if is_alone:
        assert ask(operation, path=f"{path}/restoration").status_code == 409
        assert ask(get, path=path).status_code == 404
        ask(delete, path=twin.headers["Location"])
    assert ask(operation, path=f"{path}/restoration").status_code == 200
    assert _lasting(ask(get, path=path).json()) == _lasting(created.json())


def _sent(write, operation):
    return {} if operation.body is None else {"json": write.filled(operation.body)}


def _reads(ask, about_it):
    """What is said of it and of its parts, but for the moment of its change."""
    answers = {where: ask(operation, path=where) for operation, where in about_it if operation.method == "GET"}
    assert all(answer.is_success for answer in answers.values())
    return {
        where: _lasting(answer.json()) if answer.headers["Content-Type"] == "application/json" else answer.content
        for where, answer in answers.items()
    }


def _lists(ask, thing):
    """The lists that it is in, also those of what it belongs to, each with a query that finds it there."""
    named = set(re.findall(r"[0-9a-f-]{36}", json.dumps(thing)))
    for operation in LISTS:
        for where in {re.sub(r"{[^{}]+}", name, operation.path) for name in named}:
            if ask(operation, path=where).is_success:
                asked = ((operation, where, look) for look in looks(operation, thing))
                yield from (one for one in asked if _is_in(ask, thing, *one))


def _is_in(ask, thing, operation, where, look):
    return thing["id"] in ids(ask, operation, path=where, **look, **LONGEST)


def _lasting(thing):
    return {name: value for name, value in thing.items() if name != "updated_at"}
