"""Users: no two have one name, none are lost, and an admin is left, whatever is tried."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from accord.errors import Conflict
from accord.identity import users
from accord.identity.passwords import PasswordHasher
from db.models import User
from db.text import casefold
from tests.support.examples import examples
from tests.support.services import NAMES, PASSWORD

PEOPLE = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))
SOMEBODY = uuid4()


def form(username, email, **members):
    return {"username": username, "email": f"{email}@shop.example", "password": PASSWORD, "role": "customer"} | members


@pytest.fixture
def empty(service):
    """The service without users."""
    service(lambda session: session.execute(delete(User)))
    return service


def live(service):
    """Username and email of each user, folded."""
    rows = select(User.username, User.email).where(User.deleted_at.is_(None))
    return sorted(
        (casefold(name), casefold(email)) for name, email in service(lambda session: session.execute(rows).all())
    )


def tried(service, function, *arguments, **named):
    """Return what the function returns, and what it refuses."""
    try:
        return service(function, *arguments, **named), []
    except Conflict as conflict:
        return None, [error.pointer for error in conflict.errors or [conflict]]


@settings(max_examples=examples(50), deadline=None)
@given(known=st.lists(PEOPLE, max_size=4), wanted=st.lists(PEOPLE, min_size=1, max_size=6))
def test_a_batch_is_there_whole_or_not_at_all_and_its_faults_are_the_right_ones(service, known, wanted):
    service(lambda session: session.execute(delete(User)))
    taken = {"username": set(), "email": set()}
    for person in known:
        if any(casefold(name) in keys for name, keys in zip(person, taken.values(), strict=True)):
            continue
        service(users.create, service.passwords, **form(*person))
        for name, keys in zip(person, taken.values(), strict=True):
            keys.add(casefold(name))
    before = live(service)

    errors = []
    for index, person in enumerate(wanted):
        for name, (member, keys) in zip(person, taken.items(), strict=True):
            if casefold(name) in keys:
                errors.append(f"/{index}/{member}")
            keys.add(casefold(name))

    made, refused = tried(service, users.bulk_create, service.passwords, [form(*person) for person in wanted])
    assert refused == errors
    assert len(live(service)) == len(before) + (0 if errors else len(wanted))
    if made:
        names = [(user.username, user.email) for user in made["items"]]
        assert names == [(username, form(username, email)["email"]) for username, email in wanted]


def removal(service, way, caller_id, user_id):
    """The function that takes an admin away, and its arguments but for the session."""
    tools = service.passwords, service.revocations, caller_id, user_id
    return {
        "demotion": partial(service.doing, users.update, *tools, role="manager"),
        "deactivation": partial(service.doing, users.update, *tools, is_active=False),
        "deletion": partial(service.doing, users.delete, *tools[1:]),
        "batch": partial(service.doing, users.bulk_delete, *tools[1:3], [user_id]),
    }[way]


WAYS = ("demotion", "deactivation", "deletion", "batch")


def active_admins(service):
    found = select(User.id).where(User.role == "admin", User.is_active, User.deleted_at.is_(None))
    return service(lambda session: session.scalars(found).all())


@pytest.mark.parametrize("way", WAYS)
def test_the_last_admin_stays_although_others_were_admins(empty, way):
    make = partial(empty, users.create, empty.passwords)
    deleted = make(**form("deleted", "deleted", role="admin"))
    make(**form("inactive", "inactive", role="admin", is_active=False))
    last = make(**form("last", "last", role="admin"))
    empty(users.delete, empty.revocations, SOMEBODY, deleted.id)
    with pytest.raises(Conflict, match="last active admin"):
        empty.runner.run(removal(empty, way, SOMEBODY, last.id)())
    assert active_admins(empty) == [last.id]


def test_no_batch_takes_all_admins(empty):
    made = [empty(users.create, empty.passwords, **form(f"a{n}", f"a{n}", role="admin")).id for n in range(3)]
    with pytest.raises(Conflict, match="last active admin"):
        empty(users.bulk_delete, empty.revocations, SOMEBODY, made)
    empty(users.bulk_delete, empty.revocations, SOMEBODY, made[1:])
    assert active_admins(empty) == made[:1]


def test_of_admins_who_all_remove_another_one_stays(empty):
    """In a ring, each in some way, so that every one of them would be gone."""
    for turn in range(20):
        made = [
            empty(users.create, empty.passwords, **form(f"a{turn}{n}", f"a{turn}{n}", role="admin")) for n in range(4)
        ]
        former = [user_id for user_id in active_admins(empty) if user_id not in {user.id for user in made}]
        if former:
            empty(users.bulk_delete, empty.revocations, SOMEBODY, former)
        ring = zip(made, [*made[1:], made[0]], [WAYS[(turn + n) % 4] for n in range(4)], strict=True)
        removals = [removal(empty, way, caller.id, other.id) for caller, other, way in ring]

        async def rush(removals=removals):
            return await asyncio.gather(*(remove() for remove in removals), return_exceptions=True)

        got = empty.runner.run(rush())
        assert [type(one) for one in got if isinstance(one, Exception)] == [Conflict]
        assert len(active_admins(empty)) == 1


def test_hashes_of_a_batch_hold_up_no_other_writer(empty):
    """Not even where the unit of work holds something by then, such as an idempotency key that it has claimed."""
    loop = empty.runner.get_loop()
    touch = update(User).values(age=User.age + 1)

    class Slow(PasswordHasher):
        def _hash(self, password):
            done = empty.doing(lambda session: session.execute(touch))
            asyncio.run_coroutine_threadsafe(done, loop).result(timeout=3)
            return super()._hash(password)

    def claim_and_create(session, passwords):
        session.execute(touch)
        return users.bulk_create(session, passwords, [form(f"b{n}", f"b{n}") for n in range(3)])

    assert len(empty(claim_and_create, Slow(memory_cost=8, time_cost=1))["items"]) == 3
    assert len(live(empty)) == 3
