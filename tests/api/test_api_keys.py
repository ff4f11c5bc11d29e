"""API keys, as those who make them and the programs that come in with them meet them."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import MetaData

from db import migrations
from tests.support.fixtures import ContractClient

KEYS, TASKS, USERS = "/api/v1/api-keys", "/api/v1/tasks", "/api/v1/users"


def in_seconds(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def issue(admin, *scopes, **members):
    answer = admin.post(KEYS, json={"name": "Import", "scopes": scopes or ["tasks"], **members})
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture
def status(anonymous):
    """The status that somebody gets who comes in with a key."""
    return lambda key, path=TASKS: anonymous.get(path, headers={"X-API-Key": key}).status_code


@pytest.fixture
def second_admin(server, published, admin):
    """Another admin, and the user that they are."""
    person = {"username": f"a{uuid4().hex[:12]}", "password": "correct horse battery staple"}
    user = admin.post(USERS, json={**person, "email": f"{person['username']}@shop.example", "role": "admin"}).json()
    with ContractClient(published, base_url=server.base) as client:
        token = client.post("/api/v1/auth/login", json=person).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client, user


def test_key_is_shown_once(admin):
    answer = admin.post(KEYS, json={"name": "Nightly import", "scopes": ["catalogue:read", "catalogue:stock"]})
    made, where = answer.json(), answer.headers["Location"]
    key = made.pop("key")
    assert key.startswith(f"{made['prefix']}_")
    assert (made["expires_at"], made["last_used_at"]) == (None, None)
    assert admin.get(where).json() == made
    assert made in admin.get(KEYS).json()["items"]
    assert key not in admin.get(KEYS).text


def test_key_is_kept_nowhere(server, admin):
    repeated = {"Idempotency-Key": uuid4().hex}
    secrets = [admin.post(KEYS, json={"name": "Import", "scopes": ["tasks"]}, headers=repeated).json()["key"]]
    secrets.append(admin.post(f"{KEYS}/{issue(admin)['id']}/rotation", json={}).json()["key"])

    def rows(connection):
        tables = MetaData()
        tables.reflect(connection)
        return [str(tuple(row)) for table in tables.sorted_tables for row in connection.execute(table.select())]

    kept = "\n".join(migrations.run_with_connection(server.environment["ACCORD_DATABASE_URL"], rows))
    assert repeated["Idempotency-Key"] in kept
    assert [secret for secret in secrets if secret[:15] not in kept or secret[16:] in kept] == []


def test_repeated_creation_makes_one_key_and_says_where_it_is(admin):
    def create():
        return admin.post(KEYS, json={"name": "Import", "scopes": ["tasks"]}, headers=repeated)

    repeated = {"Idempotency-Key": uuid4().hex}
    before = admin.get(KEYS).json()["total"]
    first, again = create(), create()
    assert (first.status_code, again.status_code) == (201, 409)
    assert first.headers["Location"] in again.json()["detail"]
    assert admin.get(KEYS).json()["total"] == before + 1


def test_key_acts_for_its_owner_as_far_as_it_reaches(admin, anonymous, status):
    made = issue(admin, "tasks", "orders")
    program = {"X-API-Key": made["key"]}
    task = anonymous.post(TASKS, json={"title": "Count"}, headers=program)
    assert task.json()["owner"]["id"] == admin.get("/api/v1/auth/me").json()["id"]
    assert admin.get(task.headers["Location"]).json() == task.json()
    assert status(made["key"], USERS) == 403


def test_key_does_not_see_what_only_another_scope_of_its_owner_opens(admin, customer, status):
    where = customer.post(TASKS, json={"title": "Mine"}).headers["Location"]
    assert admin.get(where).status_code == 200
    assert status(issue(admin, "tasks")["key"], where) == 404
    assert status(issue(admin, "tasks", "tasks:all")["key"], where) == 200


def test_key_without_the_scope_sees_what_anybody_sees(admin, status):
    draft = admin.post("/api/v1/posts", json={"title": "A draft", "content": "Not yet."}).headers["Location"]
    assert [status(issue(admin, scope)["key"], draft) for scope in ("posts", "tasks")] == [200, 404]


def test_key_makes_no_keys_and_knows_no_account(admin, status):
    key = issue(admin, "users")["key"]
    assert [status(key, path) for path in (KEYS, "/api/v1/auth/me", "/api/v1/auth/sessions")] == [401] * 3


def test_deleted_key_ends_at_once(admin, status):
    made = issue(admin)
    assert status(made["key"]) == 200
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert status(made["key"]) == 401
    assert admin.get(f"{KEYS}/{made['id']}").status_code == 404


def test_key_ends_when_it_was_to_end(admin, status):
    key = issue(admin, expires_at=in_seconds(1.5))["key"]
    assert status(key) == 200
    time.sleep(1.6)
    assert status(key) == 401


def test_key_is_renamed_and_shortened_but_not_lengthened(admin, status):
    made = issue(admin, expires_at=in_seconds(3600))
    where = f"{KEYS}/{made['id']}"
    assert admin.patch(where, json={"name": "Export"}).json()["name"] == "Export"
    for later in (in_seconds(7200), None):
        answer = admin.patch(where, json={"expires_at": later})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")
    assert status(made["key"]) == 200
    assert admin.patch(where, json={"expires_at": in_seconds(-1)}).status_code == 200
    assert status(made["key"]) == 401


def test_key_that_has_ended_is_not_made(admin):
    answer = admin.post(KEYS, json={"name": "Late", "scopes": ["tasks"], "expires_at": in_seconds(-1)})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")


@pytest.mark.parametrize("scopes", [[], ["account"], ["api-keys"], ["everything"], ["tasks", "tasks"]])
def test_scopes_that_no_key_has_are_refused(admin, scopes):
    assert admin.post(KEYS, json={"name": "All", "scopes": scopes}, undeclared=True).status_code == 422


def test_rotation_ends_the_secret_before_at_once(admin, status):
    made = issue(admin)
    assert status(made["key"]) == 200
    rotated = admin.post(f"{KEYS}/{made['id']}/rotation", json={}).json()
    assert (rotated["id"], rotated["prefix"]) == (made["id"], made["prefix"])
    assert (status(made["key"]), status(rotated["key"])) == (401, 200)


def test_rotation_leaves_the_secret_before_for_as_long_as_they_overlap(admin, status):
    first = issue(admin)
    second, third = (
        admin.post(f"{KEYS}/{first['id']}/rotation", json={"overlap_seconds": seconds}).json() for seconds in (60, 1)
    )
    assert [status(made["key"]) for made in (first, second, third)] == [401, 200, 200]
    time.sleep(1.1)
    assert [status(made["key"]) for made in (first, second, third)] == [401, 401, 200]


def test_key_loses_at_once_what_its_owner_loses(admin, second_admin, status):
    owner, user = second_admin
    key, where = issue(owner, "users", "tasks")["key"], f"{USERS}/{user['id']}"

    def reached():
        return [status(key, path) for path in (USERS, TASKS)]

    assert reached() == [200, 200]
    admin.patch(where, json={"role": "customer"})
    assert reached() == [403, 200]
    admin.patch(where, json={"is_active": False})
    assert reached() == [401, 401]
    admin.patch(where, json={"is_active": True, "role": "admin"})
    assert reached() == [200, 200]
    admin.delete(where)
    assert reached() == [401, 401]


def test_keys_of_somebody_else_are_not_there(admin, second_admin, manager):
    made = issue(second_admin[0])
    where = f"{KEYS}/{made['id']}"
    assert [admin.get(where).status_code, admin.delete(where).status_code] == [404, 404]
    assert admin.post(f"{where}/rotation", json={}).status_code == 404
    assert made["id"] not in admin.get(KEYS).text
    assert manager.get(KEYS).status_code == 403


def test_last_use_is_told_to_about_a_minute(admin, status):
    made = issue(admin)
    where = f"{KEYS}/{made['id']}"
    assert status(made["key"]) == 200
    for _ in range(100):
        used = admin.get(where).json()
        if used["last_used_at"]:
            break
        time.sleep(0.05)
    assert used["last_used_at"] > made["created_at"]
    assert used["updated_at"] == made["updated_at"]
    time.sleep(0.6)
    assert status(made["key"]) == 200
    time.sleep(0.2)
    assert admin.get(where).json() == used


def test_refusals_do_not_tell_known_keys_from_unknown_ones(admin, anonymous):
    made = issue(admin)["key"]
    gone = issue(admin, expires_at=in_seconds(0.2))["key"]
    time.sleep(0.3)
    refusals = [
        anonymous.get(TASKS, headers={"X-API-Key": key, "X-Request-Id": "the-same-for-all"})
        for key in (made[:16] + "x" * 43, "ak_" + "q" * 12 + made[15:], gone, "nonsense")
    ]
    assert {(refusal.status_code, refusal.headers["WWW-Authenticate"], refusal.text) for refusal in refusals} == {
        (401, 'ApiKey realm="api", header="X-API-Key", error="invalid_token"', refusals[0].text)
    }


def test_two_keys_in_one_request_are_none(server, admin):
    key = issue(admin)["key"]
    sent = [("X-API-Key", key), ("X-API-Key", key)]
    assert httpx.get(server.base + TASKS, headers=sent).status_code == 401
