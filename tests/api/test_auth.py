"""Accounts, as their owners meet them."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import jwt
import pytest

from tests.support.fixtures import LOGINS

PASSWORD, NEW = "correct horse battery staple", "twelve pears under a blue roof"
OWN_OPERATIONS = [
    ("GET", "/api/v1/auth/me", None),
    ("PATCH", "/api/v1/auth/me", {"name": "Nobody"}),
    ("PUT", "/api/v1/auth/password", {"current_password": PASSWORD, "new_password": NEW}),
    ("GET", "/api/v1/auth/sessions", None),
    ("DELETE", "/api/v1/auth/sessions/0198f0a2-0000-7000-8000-000000000000", None),
    ("POST", "/api/v1/auth/logout", None),
    ("POST", "/api/v1/auth/logout-all", None),
]


class Person:
    """Somebody who has registered, at one or more clients."""

    def __init__(self, client):
        self.client = client
        self.username = f"p{uuid4().hex[:12]}"
        self.email = f"{self.username}@shop.example"
        answer = client.post("/api/v1/auth/register", json=self.form())
        assert answer.status_code == 201
        self.user = answer.json()

    def form(self, **changes):
        return {"username": self.username, "email": self.email, "password": PASSWORD, **changes}

    def log_in(self, password=PASSWORD, **headers):
        login = {"username": self.username, "password": password}
        return self.client.post("/api/v1/auth/login", json=login, headers=headers)

    def pair(self, **headers):
        return self.log_in(**headers).json()

    def refresh(self, pair):
        return self.client.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})

    def ask(self, pair, method, path, **options):
        headers = {"Authorization": f"Bearer {pair['access_token']}", **options.pop("headers", {})}
        return self.client.request(method, f"/api/v1/auth/{path}", headers=headers, **options)

    def may_come_in(self, pair):
        return self.ask(pair, "GET", "me").status_code == 200


@pytest.fixture
def person(anonymous):
    return Person(anonymous)


def test_registering_makes_a_customer(person, anonymous):
    assert (person.user["role"], person.user["is_active"], person.user["name"]) == ("customer", True, None)
    other = anonymous.post(
        "/api/v1/auth/register", json=person.form(username=uuid4().hex, email="a.b@c.example", age=34)
    )
    assert other.headers["Location"] == f"/api/v1/users/{other.json()['id']}"
    assert other.json()["age"] == 34


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"is_active": False}, {"id": str(uuid4())}])
def test_nobody_registers_as_more(person, anonymous, extra):
    form = person.form(username=uuid4().hex, email=f"{uuid4().hex}@shop.example", **extra)
    assert anonymous.post("/api/v1/auth/register", json=form, undeclared=True).status_code == 422


@pytest.mark.parametrize("member", ["username", "email"])
def test_what_is_taken_is_named(person, anonymous, member):
    form = {"username": uuid4().hex, "email": f"{uuid4().hex}@shop.example", "password": PASSWORD}
    answer = anonymous.post("/api/v1/auth/register", json={**form, member: person.form()[member].upper()})
    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{member}"]


def test_registering_again_with_the_key_registers_once(person, anonymous):
    form, key = person.form(username=uuid4().hex, email=f"{uuid4().hex}@shop.example"), {"Idempotency-Key": uuid4().hex}
    first, second = (anonymous.post("/api/v1/auth/register", json=form, headers=key) for _ in range(2))
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["Idempotency-Replayed"] == "true"


def test_all_that_is_wrong_with_a_registration_is_said(anonymous):
    form = {"username": "a b", "email": "nowhere", "password": "s3cr3t", "age": 200, "name": ""}
    answer = anonymous.post("/api/v1/auth/register", json=form, undeclared=True)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {f"/{member}" for member in form}
    assert "s3cr3t" not in answer.text


def test_logging_in_gives_what_the_contract_says(person):
    answer = person.log_in()
    assert answer.status_code == 200
    assert answer.json()["user"] == person.user
    # Nobody is logged in while logging in, and so is shown no way that takes credentials.
    me = person.ask(answer.json(), "GET", "me").json()
    assert me | {"_links": person.user["_links"]} == person.user
    assert person.user["_links"].items() < me["_links"].items()


@pytest.mark.parametrize("role", LOGINS)
def test_each_role_has_the_scopes_of_the_contract(anonymous, published, role):
    username, password = LOGINS[role]
    pair = anonymous.post("/api/v1/auth/login", json={"username": username.upper(), "password": password}).json()
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    for contract in published.contracts:
        assert claims["scope"].split() == contract.document["components"]["securitySchemes"]["bearer"]["x-roles"][role]


def test_a_refused_log_in_does_not_say_why(person, anonymous):
    nobody = {"username": uuid4().hex, "password": PASSWORD}
    refusals = [person.log_in("wrong"), anonymous.post("/api/v1/auth/login", json=nobody)]
    assert [answer.status_code for answer in refusals] == [401, 401]
    assert all("Bearer" in answer.headers["WWW-Authenticate"] for answer in refusals)
    assert refusals[0].json()["detail"] == refusals[1].json()["detail"]


def test_tokens_are_verified_with_the_published_keys(person, anonymous):
    token = person.pair()["access_token"]
    answer = anonymous.get("/.well-known/jwks.json")
    header, keys = jwt.get_unverified_header(token), jwt.PyJWKSet.from_dict(answer.json())
    claims = jwt.decode(token, keys[header["kid"]], algorithms=["ES256"], audience="accord")
    assert (header["typ"], claims["sub"]) == ("at+jwt", person.user["id"])
    assert all("d" not in key for key in answer.json()["keys"])
    known = {"If-None-Match": answer.headers["ETag"]}
    assert anonymous.get("/.well-known/jwks.json", headers=known).status_code == 304


@pytest.mark.parametrize(("method", "path", "body"), OWN_OPERATIONS)
@pytest.mark.parametrize("credentials", [{}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic YTpi"}])
def test_without_a_good_token_nobody_comes_in(anonymous, method, path, body, credentials):
    answer = anonymous.request(method, path, json=body, headers=credentials)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_prolongs_the_session(person):
    first = person.pair()
    answer = person.refresh(first)
    assert answer.status_code == 200
    assert person.may_come_in(first)
    assert person.may_come_in(answer.json())
    assert person.refresh(answer.json()).status_code == 200


def test_a_used_refresh_token_ends_the_session(person):
    """RFC 9700, section 4.14.2."""
    first, bystander = person.pair(), person.pair()
    second = person.refresh(first).json()
    third = person.refresh(second).json()
    assert person.refresh(first).status_code == 401
    assert person.refresh(third).status_code == 401
    for ended in (first, second, third):
        assert not person.may_come_in(ended)
    assert person.may_come_in(bystander)


def test_a_refresh_whose_answer_was_lost_can_be_repeated(person):
    first = person.pair()
    lost, second = (person.refresh(first).json() for _ in range(2))
    assert second["refresh_token"] == lost["refresh_token"]
    assert person.may_come_in(second)
    assert person.refresh(second).status_code == 200


def test_of_many_refreshes_at_once_all_get_the_same_token(person):
    """Each tab of a browser refreshes when the access token that they share has expired."""
    tabs = [person.pair()] * 6
    for _ in range(3):
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(person.refresh, tabs))
        assert {answer.status_code for answer in answers} == {200}
        tabs = [answer.json() for answer in answers]
        assert len({pair["refresh_token"] for pair in tabs}) == 1
        assert all(person.may_come_in(pair) for pair in tabs)


def test_an_access_token_refreshes_nothing(person):
    pair = person.pair()
    assert person.refresh({"refresh_token": "unknown"}).status_code == 401
    assert person.ask({"access_token": pair["refresh_token"]}, "GET", "me").status_code == 401


def test_logging_out_ends_this_session(person):
    mine, other = person.pair(), person.pair()
    assert person.ask(mine, "POST", "logout").status_code == 204
    assert not person.may_come_in(mine)
    assert person.refresh(mine).status_code == 401
    assert person.may_come_in(other)


def test_logging_out_everywhere_ends_all_sessions(person, customer):
    pairs = [person.pair() for _ in range(3)]
    assert person.ask(pairs[0], "POST", "logout-all").status_code == 204
    assert not any(person.may_come_in(pair) for pair in pairs)
    assert customer.get("/api/v1/auth/me").status_code == 200


def test_ones_own_account_is_changed_member_by_member(person):
    pair = person.pair()
    assert person.ask(pair, "PATCH", "me", json={"name": "Vinod", "age": 34}).json()["age"] == 34
    changed = person.ask(pair, "PATCH", "me", json={"name": None}).json()
    assert (changed["name"], changed["age"], changed["email"]) == (None, 34, person.email)
    assert changed["updated_at"] > person.user["updated_at"]


@pytest.mark.parametrize(
    "patch", [{}, {"role": "admin"}, {"username": "other"}, {"email": None}, {"password": NEW}, []]
)
def test_what_is_not_ones_own_to_change_is_refused(person, patch):
    assert person.ask(person.pair(), "PATCH", "me", json=patch, undeclared=True).status_code == 422


def test_an_email_that_is_taken_is_refused(person, anonymous):
    answer = person.ask(person.pair(), "PATCH", "me", json={"email": Person(anonymous).email.upper()})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/email")


def test_an_account_is_not_overwritten_unseen(person):
    pair = person.pair()
    seen = person.ask(pair, "GET", "me")
    tag = {"If-Match": seen.headers["ETag"]}
    assert person.ask(pair, "GET", "me", headers={"If-None-Match": seen.headers["ETag"]}).status_code == 304
    changed = person.ask(pair, "PATCH", "me", json={"age": 35}, headers=tag)
    assert changed.headers["ETag"] == person.ask(pair, "GET", "me").headers["ETag"] != seen.headers["ETag"]
    assert person.ask(pair, "PATCH", "me", json={"age": 36}, headers=tag).status_code == 412
    assert person.ask(pair, "GET", "me").json()["age"] == 35


def test_a_log_in_changes_no_account(person):
    before = person.ask(person.pair(), "GET", "me").headers["ETag"]
    assert person.ask(person.pair(), "GET", "me").headers["ETag"] == before


def test_a_new_password_takes_the_old_and_ends_other_sessions(person):
    mine, other = person.pair(), person.pair()
    wrong = person.ask(mine, "PUT", "password", json={"current_password": NEW, "new_password": NEW})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/current_password")
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert person.ask(mine, "PUT", "password", json=change).status_code == 204
    assert person.may_come_in(mine)
    assert not person.may_come_in(other)
    assert person.log_in().status_code == 401
    assert person.log_in(NEW).status_code == 200


def test_ones_sessions_are_told_apart(person):
    phone = person.pair(**{"User-Agent": "Telephone"})
    laptop = person.pair(**{"User-Agent": "Laptop " + "x" * 1000})
    page = person.ask(phone, "GET", "sessions").json()
    assert [(one["user_agent"][:9], one["is_current"]) for one in page["items"]] == [
        ("Laptop xx", False),
        ("Telephone", True),
    ]
    other = page["items"][0]["id"]
    assert person.ask(phone, "DELETE", f"sessions/{other}").status_code == 204
    assert not person.may_come_in(laptop)
    assert person.ask(phone, "DELETE", f"sessions/{other}").status_code == 404
    assert person.ask(phone, "GET", "sessions").json()["total"] == 1


def test_sessions_come_in_pages(person):
    pairs = [person.pair() for _ in range(3)]
    first = person.ask(pairs[0], "GET", "sessions", params={"per_page": 2}).json()
    assert (len(first["items"]), first["pages"]) == (2, 2)
    answer = person.client.get(
        first["_links"]["next"]["href"], headers={"Authorization": f"Bearer {pairs[0]['access_token']}"}
    )
    assert [one["is_current"] for one in answer.json()["items"]] == [True]


def test_somebody_elses_session_is_not_found(person, anonymous):
    pair, other = person.pair(), Person(anonymous)
    others = other.pair()
    (session,) = other.ask(others, "GET", "sessions").json()["items"]
    assert person.ask(pair, "DELETE", f"sessions/{session['id']}").status_code == 404
    assert other.may_come_in(others)


def test_rotated_keys_log_nobody_out(person, anonymous, server):
    before = person.pair()
    server.run("signing-keys", "rotate")
    time.sleep(1)
    after = person.pair()
    kids = [jwt.get_unverified_header(pair["access_token"])["kid"] for pair in (before, after)]
    published = [key["kid"] for key in anonymous.get("/.well-known/jwks.json").json()["keys"]]
    assert published[:2] == kids[::-1]
    assert person.may_come_in(before)
    assert person.may_come_in(after)


def test_a_burst_of_log_ins_leaves_room_for_others(person, anonymous):
    with ThreadPoolExecutor(16) as pool:
        logins = [pool.submit(person.log_in) for _ in range(32)]
        assert anonymous.get("/api/v1/products").status_code == 200
        assert {login.result().status_code for login in logins} == {200}
