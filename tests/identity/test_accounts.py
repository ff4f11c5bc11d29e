"""Accounts: registering, logging in, changing what is one's own."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from accord.errors import Conflict, Invalid, Unauthenticated
from accord.identity import accounts, sessions
from accord.identity.passwords import PasswordHasher
from db.columns import utc_now
from db.models import User, UserSession
from tests.support.services import PASSWORD

NEW = "twelve pears under a blue roof"


class Recording(PasswordHasher):
    """Remembers what it was asked."""

    def __init__(self, **costs):
        super().__init__(**costs)
        self.hashed, self.checked = [], []

    def hash(self, password):
        self.hashed.append(password)
        return super().hash(password)

    def verify(self, password, password_hash):
        self.checked.append(password_hash)
        return super().verify(password, password_hash)


def set_user(service, user, **values):
    service(lambda session: session.execute(update(User).where(User.id == user.id).values(**values)))


def change_password(service, pair, current=PASSWORD, new=NEW):
    caller, tools = service.caller(pair), (service.passwords, service.revocations)
    service(accounts.change_password, *tools, caller, current_password=current, new_password=new)


def test_who_registers_is_an_active_customer(service):
    user = service.register(name="Vinod", age=34)
    assert (user.role, user.is_active, user.name, user.age) == ("customer", True, "Vinod", 34)
    assert service(accounts.get, user.id).username == user.username


def test_the_password_is_not_kept(service):
    assert PASSWORD not in str(vars(service.register()))


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"username": "Vinod"}, "username"),
        ({"username": "_1.-"}, "username"),
        ({"email": "Vinod@vinod.co"}, "email"),
        ({"email": "1@[127.0.0.1]"}, "email"),
    ],
)
def test_username_and_email_are_unique_in_any_case(service, changes, member):
    user = service.register(**{member: value.swapcase() for member, value in changes.items()})
    with pytest.raises(Conflict, match=member) as refusal:
        service.register(**changes)
    set_user(service, user, deleted_at=utc_now())
    assert refusal.value.pointer == f"/{member}"


def test_a_taken_name_costs_a_hash_too(service):
    user, recording = service.register(), Recording(memory_cost=8, time_cost=1)
    with pytest.raises(Conflict):
        service(accounts.register, recording, username=user.username, email="new@shop.example", password=PASSWORD)
    assert recording.hashed == [PASSWORD]


def test_of_many_who_want_a_name_one_gets_it(service):
    async def rush():
        return await asyncio.gather(
            *(
                service.doing(
                    accounts.register,
                    service.passwords,
                    username="Wanted",
                    email=f"w{n}@shop.example",
                    password=PASSWORD,
                )
                for n in range(6)
            ),
            return_exceptions=True,
        )

    got = service.runner.run(rush())
    assert sum(isinstance(one, User) for one in got) == 1
    assert sum(isinstance(one, Conflict) for one in got) == 5


def test_the_name_of_a_deleted_user_is_free(service):
    user = service.register()
    set_user(service, user, deleted_at=utc_now())
    assert service.register(username=user.username, email=user.email).id != user.id


def test_logging_in_gives_tokens_for_the_user(service):
    user = service.register()
    pair = service.log_in(user.username.upper())
    assert (pair.user.id, pair.token_type, pair.expires_in) == (user.id, "Bearer", 3600)
    caller = service.caller(pair)
    assert (caller.id, caller.role, caller.scopes) == (user.id, "customer", {"account"})


@pytest.mark.parametrize("state", ["unknown", "wrong password", "email", "inactive", "deleted"])
def test_a_refused_log_in_does_not_say_why(service, state):
    user = service.register()
    if state == "inactive":
        set_user(service, user, is_active=False)
    if state == "deleted":
        set_user(service, user, deleted_at=utc_now())
    username = {"unknown": "nobody", "email": user.email}.get(state, user.username)
    with pytest.raises(Unauthenticated, match=r"^The username or the password is wrong\.$"):
        service.log_in(username, "wrong" if state == "wrong password" else PASSWORD)


def test_an_unknown_user_costs_a_check_too(service):
    recording = Recording(memory_cost=8, time_cost=1)
    with pytest.raises(Unauthenticated):
        service.log_in("nobody", password_hasher=recording)
    assert recording.checked == [None]


def test_a_user_deactivated_during_the_check_does_not_come_in(service):
    user, loop = service.register(), service.runner.get_loop()
    deactivate = update(User).where(User.id == user.id).values(is_active=False)

    class Slow(PasswordHasher):
        def _verify(self, password, password_hash):
            # On SQLite, with its one writer, this also shows that the check holds nobody up.
            done = service.doing(lambda session: session.execute(deactivate))
            asyncio.run_coroutine_threadsafe(done, loop).result(timeout=3)
            return super()._verify(password, password_hash)

    with pytest.raises(Unauthenticated):
        service.log_in(user.username, password_hasher=Slow(memory_cost=8, time_cost=1))


def test_logging_in_renews_an_outdated_hash(service):
    user, stronger = service.register(), PasswordHasher(memory_cost=16, time_cost=2)
    service.log_in(user.username, password_hasher=stronger)
    after = service(accounts.get, user.id)
    assert "m=16,t=2" in after.password_hash
    assert (after.version, after.updated_at) == (user.version, user.updated_at)
    assert service.log_in(user.username, password_hasher=stronger)


def test_what_is_changed_is_changed_and_the_rest_stays(service):
    user = service.register(name="Vinod", age=34)
    changed = service(accounts.update_profile, user.id, name=None)
    assert (changed.name, changed.age, changed.email) == (None, 34, user.email)
    assert changed.version == user.version + 1


def test_a_new_email_is_unique_in_any_case(service):
    user, other = service.register(), service.register()
    with pytest.raises(Conflict, match="email") as refusal:
        service(accounts.update_profile, user.id, email=other.email.upper())
    assert refusal.value.pointer == "/email"
    assert service(accounts.update_profile, user.id, email=user.email.upper()).email == user.email.upper()


def test_what_else_the_database_refuses_is_no_conflict(service):
    user = service.register()
    with pytest.raises(IntegrityError):
        service(accounts.update_profile, user.id, age=-1)


@pytest.mark.parametrize("values", [{"is_active": False}, {"deleted_at": utc_now()}])
def test_a_closed_account_is_nobodys(service, values):
    user = service.register()
    set_user(service, user, **values)
    with pytest.raises(Unauthenticated):
        service(accounts.get, user.id)


def test_an_account_that_never_was_is_nobodys(service):
    with pytest.raises(Unauthenticated):
        service(accounts.get, uuid4())


def test_a_new_password_replaces_the_old(service):
    user = service.register()
    change_password(service, service.log_in(user.username))
    with pytest.raises(Unauthenticated):
        service.log_in(user.username)
    assert service.log_in(user.username, NEW)


def test_a_new_password_ends_the_other_sessions(service):
    user = service.register()
    mine, other = service.log_in(user.username), service.log_in(user.username)
    change_password(service, mine)
    assert service.caller(mine)
    assert service.caller(other) is None
    with pytest.raises(Unauthenticated):
        service.refresh(other)
    assert service.refresh(mine)


def test_a_new_password_takes_the_old_one(service):
    user = service.register()
    mine, other = service.log_in(user.username), service.log_in(user.username)
    with pytest.raises(Invalid) as refusal:
        change_password(service, mine, current="wrong" + PASSWORD)
    assert refusal.value.pointer == "/current_password"
    assert service.caller(other)
    assert service.log_in(user.username)


def test_of_two_new_passwords_at_once_one_is_set(service):
    user = service.register()
    caller = service.caller(service.log_in(user.username))

    async def rush():
        return await asyncio.gather(
            *(
                service.doing(
                    accounts.change_password,
                    service.passwords,
                    service.revocations,
                    caller,
                    current_password=PASSWORD,
                    new_password=f"{NEW} {n}",
                )
                for n in range(2)
            ),
            return_exceptions=True,
        )

    got = service.runner.run(rush())
    # Overlapping they collide; one after the other, the second one's old password is wrong.
    assert got.count(None) == 1
    assert sum(isinstance(one, Conflict | Invalid) for one in got) == 1
    assert service.log_in(user.username, f"{NEW} {got.index(None)}")


def test_a_user_agent_is_cut_to_what_is_kept(service):
    user = service.register()
    service(
        accounts.log_in,
        service.passwords,
        service.tokens,
        username=user.username,
        password=PASSWORD,
        user_agent="x" * 5000,
    )
    caller = service.caller(service.log_in(user.username))
    page = service(sessions.find, caller.id, caller.session_id, page=1, per_page=20)
    assert [len(one["user_agent"] or "") for one in page["items"]] == [0, 200]
    assert UserSession.__table__.c.user_agent.type.length == 200
