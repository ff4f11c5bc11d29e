"""Two customers, each after the other's sessions."""

import itertools

import httpx
import pytest

_numbers = itertools.count(1)


class Customer:
    """Somebody with an account of their own, logged in."""

    def __init__(self, base):
        self.name, self.password = f"session.{next(_numbers)}.{base.rpartition(':')[2]}", "correct horse battery"
        self._base = f"{base}/api/v1/auth"
        made = {"username": self.name, "email": f"{self.name}@example.com", "password": self.password}
        httpx.post(f"{self._base}/register", json=made).raise_for_status()
        self.pair = self.log_in()

    def log_in(self):
        answer = httpx.post(f"{self._base}/login", json={"username": self.name, "password": self.password})
        return answer.raise_for_status().json()

    def ask(self, method, path, pair=None, **options):
        headers = {"Authorization": f"Bearer {(pair or self.pair)['access_token']}"}
        return httpx.request(method, self._base + path, headers=headers, **options)

    def sessions(self):
        return self.ask("GET", "/sessions").json()["items"]

    def is_in(self, pair=None):
        return self.ask("GET", "/me", pair).status_code == 200


@pytest.fixture
def alice(shop):
    return Customer(shop.base)


@pytest.fixture
def mallory(shop):
    return Customer(shop.base)


def test_sessions_of_others_are_neither_seen_nor_ended(alice, mallory):
    [hers] = alice.sessions()
    assert [session["id"] for session in mallory.sessions()] != [hers["id"]]
    for _ in range(2):
        assert mallory.ask("DELETE", f"/sessions/{hers['id']}").status_code == 404
    assert alice.is_in()


def test_ending_all_of_ones_sessions_ends_nobody_elses(alice, mallory):
    more = mallory.log_in()
    assert mallory.ask("POST", "/logout-all").status_code == 204
    assert not mallory.is_in()
    assert not mallory.is_in(more)
    assert alice.is_in()
    assert len(alice.sessions()) == 1


def test_refresh_token_of_another_gives_only_that_ones_session(alice, mallory):
    """Stolen, it makes tokens of the owner; used by the owner after the thief refreshed it ends what the thief got."""
    stolen = mallory.ask("POST", "/refresh", json={"refresh_token": alice.pair["refresh_token"]})
    assert stolen.json()["user"]["username"] == alice.name if "user" in stolen.json() else stolen.status_code == 200
    stolen = mallory.ask("POST", "/refresh", json={"refresh_token": stolen.json()["refresh_token"]})
    again = alice.ask("POST", "/refresh", json={"refresh_token": alice.pair["refresh_token"]})
    assert again.status_code == 401
    assert not alice.is_in(stolen.json())
    assert mallory.is_in()


def test_session_that_ended_is_refused_at_once_and_cannot_be_refreshed(alice):
    other = alice.log_in()
    [ended] = [session["id"] for session in alice.sessions() if not session["is_current"]]
    assert alice.ask("DELETE", f"/sessions/{ended}").status_code == 204
    assert not alice.is_in(other)
    assert alice.ask("POST", "/refresh", json={"refresh_token": other["refresh_token"]}).status_code == 401
    assert alice.ask("DELETE", f"/sessions/{ended}").status_code == 404
    assert alice.is_in()


def test_new_password_ends_the_sessions_of_whoever_knew_the_old_one(alice):
    thief = alice.log_in()
    wrong = alice.ask(
        "PUT", "/password", thief, json={"current_password": "guess 1234", "new_password": "mine, all mine"}
    )
    assert wrong.status_code == 422
    right = {"current_password": alice.password, "new_password": "another horse battery"}
    assert alice.ask("PUT", "/password", json=right).status_code == 204
    assert not alice.is_in(thief)
    assert alice.ask("POST", "/refresh", json={"refresh_token": thief["refresh_token"]}).status_code == 401
    assert alice.is_in()


def test_nobody_becomes_more_than_a_customer(alice):
    for changes in (
        {"role": "admin"},
        {"is_active": True},
        {"id": "01890a5d-ac96-774b-bcce-b302099a8057"},
        {"password_hash": "x"},
    ):
        assert alice.ask("PATCH", "/me", json=changes).status_code == 422
    assert alice.ask("GET", "/me").json()["role"] == "customer"


def test_name_and_address_of_another_cannot_be_taken(alice, mallory, shop):
    for email in (f"{alice.name}@example.com", f"{alice.name}@EXAMPLE.com".upper()):
        assert mallory.ask("PATCH", "/me", json={"email": email}).status_code == 409
    taken = {"username": alice.name.upper(), "email": "new@example.com", "password": "a password of mine"}
    answer = httpx.post(f"{shop.base}/api/v1/auth/register", json=taken)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/username")


def test_refusals_of_a_login_are_all_the_same(alice, shop):
    url = f"{shop.base}/api/v1/auth/login"
    answers = [
        httpx.post(url, json={"username": username, "password": "not this one"}).json()
        for username in (alice.name, alice.name.upper(), "nobody.of.this.name")
    ]
    assert len({(answer["status"], answer["detail"]) for answer in answers}) == 1
