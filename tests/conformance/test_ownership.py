"""What is somebody's is nobody else's: for others it is as if it did not exist, whatever they send."""

import re
from uuid import uuid4

import pytest

from tests.support.contract_client import lasting_headers
from tests.support.operations import LISTS, OPERATIONS, about, at, template_of
from tests.support.pagination import LONGEST, ids, looks, pages
from tests.support.write_operations import Somebody

REACHED = [operation for operation in OPERATIONS if operation.reaches("customer")]
CREATED = [o for o in REACHED if o.method == "POST" and "Location" in o.success.get("headers", {})]
POSTED = {operation.path for operation in OPERATIONS if operation.method == "POST"}
LISTED = [o for o in LISTS if o in REACHED and o.path not in POSTED and template_of(f"{o.path}/{uuid4()}")]
"""Lists of what somebody has because of something else that they did, such as their sessions."""

WAYS = {
    "register_user": lambda owner: owner.home,
    **{o.label: lambda owner, o=o: owner(o).headers["Location"] for o in CREATED},
    **{
        f"{o.label}-whole": lambda owner, o=o: owner(o, json=owner.filled(o.whole)).headers["Location"]
        for o in CREATED
        if o.whole != o.body
    },
    **{o.label: lambda owner, o=o: f"{o.path}/{ids(owner.ask, o)[0]}" for o in LISTED},
}
"""How somebody comes to have a thing; each returns its path."""


@pytest.fixture
def owner(ask, known):
    return Somebody(ask, known)


@pytest.fixture
def other(ask, known):
    return Somebody(ask, known)


@pytest.mark.parametrize("way", WAYS)
def test_for_others_it_is_as_if_it_did_not_exist(owner, other, ask, way):
    path = WAYS[way](owner)
    reached = [(operation, where) for operation, where in about(path) if operation in REACHED]
    before = _seen(owner, reached)
    for operation, path in reached:
        if (shown := _published(ask, operation, path)) is not None:
            assert other.ask(operation, path=path).json() == shown
            continue
        sent = {"json": owner.filled(operation.body)} if operation.body is not None else {}
        for condition in _conditions(operation, before.values()):
            hidden, missing = (
                other.ask(operation, path=which, **sent, **condition) for which in (path, _elsewhere(path))
            )
            assert hidden.status_code == 404, f"{operation.id} with {condition}: {hidden.text}"
            assert _told(hidden) == _told(missing)
    assert _seen(owner, reached) == before


@pytest.mark.parametrize("way", WAYS)
def test_it_is_in_no_list_of_others_and_not_counted(owner, other, ask, way):
    path = WAYS[way](owner)
    get = at("GET", template_of(path))
    if get and _published(ask, get, path):
        assert way.endswith("-whole"), f"{way} makes what everybody sees, although nobody says that they are to."
        return
    thing = owner.ask(get, path=path).json() if get else {}
    name = path.rpartition("/")[2]
    for operation in (o for o in LISTS if o in REACHED):
        where = owner.made(operation.path)
        for look in looks(operation, thing):
            asked = {"path": where, "params": look | LONGEST}
            if name not in [item["id"] for item in owner.ask(operation, **asked).json()["items"]]:
                assert look or operation.path != path.rpartition("/")[0]
                continue
            for media_type in operation.success["content"]:
                answer = other.ask(operation, **asked, headers={"Accept": media_type})
                assert name not in answer.text, f"{operation.id} with {look}: {answer.text}"
            found = [page.json() for page in pages(other.ask, operation, path=where, **look, **LONGEST)]
            listed = [item for page in found for item in page.get("items", ())]
            assert {page.get("total") for page in found} <= {None, len(listed)}


def _published(ask, operation, path):
    """What everybody sees, where the contract lets anybody read, and there is something; otherwise None."""
    if operation.method == "GET" and not operation.requires_credentials:
        answer = ask(operation, path=path, role=None)
        return answer.json() if answer.is_success else None
    return None


def _seen(owner, reached):
    """What the owner sees of it, and the entity tag of each."""
    answers = {path: owner.ask(operation, path=path) for operation, path in reached if operation.method == "GET"}
    assert all(answer.is_success for answer in answers.values())
    return {path: (answer.content, answer.headers.get("ETag", "*")) for path, answer in answers.items()}


def _conditions(operation, seen):
    """What may come with a request, although it is about what is not there."""
    tags = {"*", *(tag for _, tag in seen)}
    values = {"If-Match": tags, "If-None-Match": tags, "Range": {"bytes=0-0"}}
    yield {}
    for name in operation.names("header"):
        yield from ({"headers": {name: value}} for value in values.get(name, ()))
    if operation.method == "GET":
        yield {"method": "HEAD"}


def _elsewhere(path):
    """The path of a thing that nobody has."""
    known = template_of(path).partition("{")[0]
    return known + "/".join([str(uuid4()), *path.removeprefix(known).split("/")[1:]])


def _told(answer):
    """What an answer says but for its moment and its names."""
    names = {answer.headers["X-Request-Id"], answer.request.url.path}
    return answer.status_code, lasting_headers(answer), re.sub("|".join(map(re.escape, names)), "…", answer.text)
