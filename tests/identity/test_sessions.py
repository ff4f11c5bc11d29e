"""Sessions: refresh tokens follow one another, and all of a session ends at once."""

import asyncio
import time
from datetime import timedelta
from hashlib import sha256
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from accord.errors import NotFound, Unauthenticated
from accord.identity import access_tokens, revocation_list, sessions
from db.columns import utc_now
from db.models import RefreshToken, User, UserSession


@pytest.fixture
def user(service):
    return service.register()


def listed(service, pair, **page):
    caller = service.caller(pair)
    return service(sessions.find, caller.id, caller.session_id, **{"page": 1, "per_page": 20, **page})


def test_a_refresh_gives_new_tokens_of_the_same_session(service, user):
    first = service.log_in(user.username)
    second = service.refresh(first)
    assert second.refresh_token != first.refresh_token
    assert second.user.id == user.id
    assert service.caller(second).session_id == service.caller(first).session_id
    assert service.refresh(second)


def test_refresh_tokens_are_kept_as_hashes(service, user):
    pair = service.log_in(user.username)
    kept = service(lambda session: session.scalars(select(RefreshToken.token_hash)).all())
    assert pair.refresh_token not in kept
    assert all(len(one) == 64 for one in kept)


def test_a_used_refresh_token_ends_the_session(service, user):
    first = service.log_in(user.username)
    second = service.refresh(first)
    bystander = service.log_in(user.username)
    with pytest.raises(Unauthenticated):
        service.refresh(first)
    # The refusal did not undo it: the newest token is of no use, and neither are the access tokens.
    with pytest.raises(Unauthenticated):
        service.refresh(second)
    assert service.caller(first) is service.caller(second) is None
    assert service.caller(bystander)


def test_of_two_refreshes_at_once_exactly_one_wins(service, user):
    pair = service.log_in(user.username)

    async def rush():
        again = (
            service.doing(sessions.refresh, service.tokens, service.revocations, refresh_token=pair.refresh_token)
            for _ in range(2)
        )
        return await asyncio.gather(*again, return_exceptions=True)

    got = service.runner.run(rush())
    assert sorted(type(one).__name__ for one in got) == ["TokenPair", "Unauthenticated"]
    # Somebody else had the token, too, so the one who won has to log in again.
    assert service.caller(pair) is None


class TestGrace:
    """Within seconds of its use a refresh token gets the same unused successor again, and ends nothing."""

    @pytest.fixture
    def tokens(self, service):
        return service.minting(refresh_grace=timedelta(seconds=30))

    @pytest.fixture
    def pair(self, service, user, tokens):
        return service.log_in(user.username, access_tokens=tokens)

    def used(self, service, pair, ago):
        """The refresh token as if it had been used this long ago, or later if negative."""
        of_pair = RefreshToken.token_hash == sha256(pair.refresh_token.encode()).hexdigest()
        values = {"used_at": utc_now() - timedelta(seconds=ago)}
        service(lambda session: session.execute(update(RefreshToken).where(of_pair).values(**values)))

    def live(self, service, user):
        of_user = UserSession.user_id == user.id, UserSession.revoked_at.is_(None)
        return service(lambda session: len(session.scalars(select(UserSession.id).where(*of_user)).all()))

    def test_a_repetition_gets_the_same_successor_and_tokens_that_work(self, service, user, tokens, pair):
        first = service.refresh(pair, tokens)
        for ago in (0, 25, -25):
            self.used(service, pair, ago)
            again = service.refresh(pair, tokens)
            assert again.refresh_token == first.refresh_token
            assert tokens.verify(again.access_token).id == user.id
        assert service.refresh(again, tokens).refresh_token != first.refresh_token
        assert self.live(service, user) == 1

    @pytest.mark.parametrize("ago", [31, 3_600, -31, -3_600])
    def test_a_repetition_after_the_grace_ends_the_session(self, service, user, tokens, pair, ago):
        """Also if the clock was set back in the meantime, which would make the grace longer."""
        second = service.refresh(pair, tokens)
        self.used(service, pair, ago)
        for one in (pair, second):
            with pytest.raises(Unauthenticated):
                service.refresh(one, tokens)
        assert self.live(service, user) == 0

    def test_a_token_whose_successor_was_used_ends_the_session(self, service, user, tokens, pair):
        third = service.refresh(service.refresh(pair, tokens), tokens)
        for one in (pair, third):
            with pytest.raises(Unauthenticated):
                service.refresh(one, tokens)
        assert self.live(service, user) == 0

    def test_many_at_once_get_one_successor_and_so_does_the_next_round(self, service, user, tokens, pair):
        async def rush(token):
            tabs = (
                service.doing(sessions.refresh, tokens, service.revocations, refresh_token=token) for _ in range(12)
            )
            return await asyncio.gather(*tabs)

        token = pair.refresh_token
        for _ in range(3):
            successors = {one.refresh_token for one in service.runner.run(rush(token))}
            assert len(successors) == 1
            assert token not in successors
            (token,) = successors
        assert self.live(service, user) == 1

    def test_a_repetition_prolongs_nothing_and_brings_no_ended_session_back(self, service, user, tokens, pair):
        second = service.refresh(pair, tokens)
        expiry = select(UserSession.expires_at, UserSession.last_used_at).where(UserSession.user_id == user.id)
        before = service(lambda session: session.execute(expiry).one())
        service.refresh(pair, tokens)
        assert service(lambda session: session.execute(expiry).one()) == before
        service(sessions.revoke_all, service.revocations, user.id)
        for one in (pair, second):
            with pytest.raises(Unauthenticated):
                service.refresh(one, tokens)

    def test_a_repetition_after_a_change_of_keys_is_refused_and_ends_nothing(self, service, user, tokens, pair):
        second = service.refresh(pair, tokens)
        with pytest.raises(Unauthenticated):
            service.refresh(pair, service.minting(refresh_grace=timedelta(seconds=30)))
        assert service.refresh(second, tokens)

    def test_a_successor_cannot_be_derived_without_the_keys(self, service, tokens):
        others = service.minting(refresh_grace=timedelta(seconds=30))
        assert tokens.successor("x") == tokens.successor("x") != others.successor("x")
        assert len({tokens.successor(one) for one in ("x", "y", tokens.successor("x"))}) == 3


def test_an_unknown_refresh_token_is_refused(service):
    with pytest.raises(Unauthenticated):
        service(sessions.refresh, service.tokens, service.revocations, refresh_token="unknown")


def test_an_expired_refresh_token_is_refused(service, user):
    pair = service.log_in(user.username, access_tokens=service.minting(refresh_lifetime=timedelta(0)))
    with pytest.raises(Unauthenticated):
        service.refresh(pair)


def test_a_refresh_prolongs_the_session(service, user):
    pair = service.log_in(user.username, access_tokens=service.minting(refresh_lifetime=timedelta(seconds=30)))
    after = service.refresh(pair)
    (session,) = listed(service, after)["items"]
    assert session["expires_at"] - session["last_used_at"] == timedelta(days=7)
    assert session["last_used_at"] > session["created_at"]


@pytest.mark.parametrize("values", [{"is_active": False}, {"deleted_at": utc_now()}])
def test_a_user_who_may_not_log_in_may_not_refresh(service, user, values):
    pair = service.log_in(user.username)
    service(lambda session: session.execute(update(User).where(User.id == user.id).values(**values)))
    with pytest.raises(Unauthenticated):
        service.refresh(pair)


def test_a_refresh_takes_up_a_new_role(service, user):
    pair = service.log_in(user.username)
    service(lambda session: session.execute(update(User).where(User.id == user.id).values(role="admin")))
    assert "users" in service.caller(service.refresh(pair)).scopes


def test_a_revoked_session_is_refused_at_once_where_it_was_revoked(service, user):
    pair = service.log_in(user.username)
    service(sessions.revoke, service.revocations, service.caller(pair).session_id)
    assert service.caller(pair) is None
    with pytest.raises(Unauthenticated):
        service.refresh(pair)


def test_a_revoked_session_is_refused_everywhere_within_a_second(service, user):
    elsewhere, pair = service.another_server(), service.log_in(user.username)
    assert service.caller(pair, elsewhere)
    service(sessions.revoke, service.revocations, service.caller(pair).session_id)
    time.sleep(1)
    assert service.caller(pair, elsewhere) is None


def test_a_server_that_starts_knows_what_was_revoked_before(service, user):
    pair = service.log_in(user.username)
    service(sessions.revoke, service.revocations, service.caller(pair).session_id)
    assert service.caller(pair, service.another_server()) is None


class Clock:
    """A clock that was set back, in the modules that read it; `seconds` may be changed."""

    def __init__(self, monkeypatch, seconds=0):
        self.seconds, now = seconds, time.time
        monkeypatch.setattr(sessions, "utc_now", lambda: utc_now() - timedelta(seconds=self.seconds))
        monkeypatch.setattr(access_tokens, "time", SimpleNamespace(time=lambda: now() - self.seconds))


@pytest.mark.parametrize("seconds", [120, 10_000])
@pytest.mark.parametrize("end", ["log out", "delete", "all"])
def test_a_session_that_ends_while_the_clock_is_set_back_stays_ended(service, user, monkeypatch, seconds, end):
    """Also on a server that starts, and on one that has read the revocations up to now."""
    running, pair = service.another_server(), service.log_in(user.username)
    clock = Clock(monkeypatch)
    session_id = service.caller(pair, running).session_id
    clock.seconds = seconds
    assert service.caller(pair), "The token is valid, so that it can log out."
    ends = {
        "log out": (sessions.revoke, service.revocations, session_id),
        "delete": (sessions.revoke_own, service.revocations, user.id, session_id),
        "all": (sessions.revoke_all, service.revocations, user.id),
    }
    service(*ends[end])
    clock.seconds = 0
    time.sleep(1)
    for server in (None, running, service.another_server()):
        assert service.caller(pair, server) is None
    with pytest.raises(Unauthenticated):
        service.refresh(pair)


@pytest.mark.parametrize("issue", ["log-in", "refresh"])
def test_a_session_logs_out_at_a_server_whose_clock_was_always_behind(service, user, monkeypatch, issue):
    """Also after a refresh: the token is as new as the last use of its session."""
    pair = service.log_in(user.username)
    if issue == "refresh":
        past = {"created_at": utc_now() - timedelta(days=1), "last_used_at": utc_now() - timedelta(days=1)}
        of_user = UserSession.user_id == user.id
        service(lambda session: session.execute(update(UserSession).where(of_user).values(**past)))
        pair = service.refresh(pair)
    Clock(monkeypatch, 10_000)
    behind = service.minting(key=service.key)
    assert behind.verify(pair.access_token) is None
    caller = service.caller(pair, tokens=behind)
    assert caller.id == user.id
    service(sessions.revoke, service.revocations, caller.session_id)
    assert service.caller(pair, tokens=behind) is service.caller(pair) is None


def test_a_token_of_the_future_is_refused_unless_its_session_was_there(service, user, monkeypatch):
    """A token that was not issued yet cannot be in use, whoever signed it."""
    session_id = service.caller(service.log_in(user.username)).session_id
    clock = Clock(monkeypatch, -120)
    early = service.minting(key=service.key).issue(user.id, session_id, "admin")
    clock.seconds = 0
    assert service.caller(SimpleNamespace(access_token=early), tokens=service.minting(key=service.key)) is None


def test_a_revocation_with_a_time_long_ago_is_known_everywhere_within_a_minute(service, user, monkeypatch):
    monkeypatch.setattr(revocation_list, "_SECONDS_BETWEEN_COMPLETE_READS", 0.6)
    running, pair = service.another_server(), service.log_in(user.username)
    caller = service.caller(pair, running)
    of_session = UserSession.id == caller.session_id
    values = {"last_used_at": utc_now() - timedelta(minutes=50), "revoked_at": utc_now() - timedelta(minutes=40)}
    service(lambda session: session.execute(update(UserSession).where(of_session).values(**values)))
    time.sleep(1.2)
    assert service.caller(pair, running) is None


def test_what_is_rolled_back_is_not_revoked(service, user):
    pair = service.log_in(user.username)

    def fail(session):
        sessions.revoke_all(session, service.revocations, user.id)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        service(fail)
    assert service.caller(pair)
    assert service.refresh(pair)


def test_all_sessions_of_a_user_end_and_no_others(service, user):
    mine, other = [service.log_in(user.username) for _ in range(3)], service.log_in(service.register().username)
    service(sessions.revoke_all, service.revocations, user.id)
    assert [service.caller(pair) for pair in mine] == [None] * 3
    assert service.caller(other)


def test_all_sessions_but_one_end(service, user):
    kept, *others = (service.log_in(user.username) for _ in range(3))
    service(sessions.revoke_all, service.revocations, user.id, but=service.caller(kept).session_id)
    assert service.caller(kept)
    assert [service.caller(pair) for pair in others] == [None] * 2


def test_one_session_ends(service, user):
    mine, other = service.log_in(user.username), service.log_in(user.username)
    service(sessions.revoke_own, service.revocations, user.id, service.caller(other).session_id)
    assert service.caller(other) is None
    assert service.caller(mine)


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's", "ended", "expired"])
def test_a_session_that_is_not_ones_own_and_live_is_not_found(service, user, whose):
    session_id = uuid4()
    if whose == "somebody else's":
        session_id = service.caller(service.log_in(service.register().username)).session_id
    if whose in {"ended", "expired"}:
        session_id = service.caller(service.log_in(user.username)).session_id
        values = {"revoked_at": utc_now()} if whose == "ended" else {"expires_at": utc_now()}
        service(
            lambda session: session.execute(update(UserSession).where(UserSession.id == session_id).values(**values))
        )
    with pytest.raises(NotFound):
        service(sessions.revoke_own, service.revocations, user.id, session_id)


def test_ones_live_sessions_are_listed_the_one_used_last_first(service, user):
    first, second, ended, expired = (service.log_in(user.username) for _ in range(4))
    service(sessions.revoke_own, service.revocations, user.id, service.caller(ended).session_id)
    of_expired = UserSession.id == service.caller(expired).session_id
    service(lambda session: session.execute(update(UserSession).where(of_expired).values(expires_at=utc_now())))
    service.log_in(service.register().username)
    service.refresh(first)
    page = listed(service, second)
    assert [str(one["id"]) for one in page["items"]] == [
        str(service.caller(pair).session_id) for pair in (first, second)
    ]
    assert [one["is_current"] for one in page["items"]] == [False, True]
    assert page["total"] == 2


def test_sessions_come_in_pages(service, user):
    pairs = [service.log_in(user.username) for _ in range(3)]
    page = listed(service, pairs[0], page=2, per_page=2)
    assert [one["is_current"] for one in page["items"]] == [True]
    assert (page["total"], page["pages"], page["prev_page"], page["next_page"]) == (3, 2, 1, None)
