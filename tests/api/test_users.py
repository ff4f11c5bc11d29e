"""Users, as those meet them who may work on them, and as they meet themselves."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from uuid import uuid4

import pytest

from services.demo_data import LOGINS
from tests.support.contract_client import ContractClient
from tests.support.server import demo_shop

PASSWORD, NEW = "correct horse battery staple", "twelve pears under a blue roof"
BATCH = "/api/v1/users/batch"


def form(**members):
    name = f"u{uuid4().hex[:12]}"
    return {"username": name, "email": f"{name}@shop.example", "password": PASSWORD} | members


def pointers(answer):
    return {error["pointer"] for error in answer.json()["errors"]}


@pytest.fixture
def make(admin):
    def make(**members):
        answer = admin.post("/api/v1/users", json=form(**members))
        assert answer.status_code == 201, answer.text
        return answer

    return make


@pytest.fixture(scope="module")
def client_of(published):
    """A client of whoever logs in to a server with a name and a password; None if they may not."""

    def client_of(server, username, password):
        client = opened.enter_context(ContractClient(published, base_url=server.base))
        answer = client.post("/api/v1/auth/login", json={"username": username, "password": password})
        if answer.status_code == 401:
            return None
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    with ExitStack() as opened:
        yield client_of


@pytest.fixture
def log_in(server, client_of):
    return lambda user, password=PASSWORD: client_of(server, user["username"], password)


def _version(client, other, **change):
    return client.patch(where(other), json=change, headers={"If-Match": other.headers["ETag"]})


def where(user):
    return f"/api/v1/users/{user.json()['id']}"


REMOVALS = {
    "demotion": lambda client, other: client.patch(where(other), json={"role": "customer"}),
    "demotion of a version": partial(_version, role="customer"),
    "deactivation": lambda client, other: client.patch(where(other), json={"is_active": False}),
    "deactivation of a version": partial(_version, is_active=False),
    "replacement": lambda client, other: client.put(
        where(other), json=without_password(form()) | {"role": "manager", "is_active": True}
    ),
    "deletion": lambda client, other: client.delete(where(other)),
    "batch": lambda client, other: client.delete(BATCH, params={"id": other.json()["id"]}),
}
"""How one admin may take another away."""


def is_in(client):
    return client.get("/api/v1/auth/me").status_code == 200


def without_password(members):
    return {name: value for name, value in members.items() if name != "password"}


def test_created_user_is_where_location_says_and_logs_in(admin, make, log_in):
    created = make(role="manager", name="Meera Iyer", age=29)
    read = admin.get(created.headers["Location"])
    assert read.json() == created.json()
    assert read.headers["ETag"] == created.headers["ETag"]
    assert (read.json()["role"], read.json()["is_active"]) == ("manager", True)
    assert "password" not in created.text
    assert log_in(created.json()).get("/api/v1/auth/me").json() == created.json()


def test_without_a_role_one_is_a_customer(make):
    assert make().json()["role"] == "customer"


def test_user_who_is_not_active_cannot_log_in(make, log_in):
    assert log_in(make(is_active=False).json()) is None


def test_repeat_with_key_creates_once(admin):
    body, key = form(), {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: admin.post("/api/v1/users", json=body, headers=key), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7


def test_broken_body_is_refused_with_all_errors_at_once(admin):
    body = {"username": "a b", "email": "nowhere", "password": "s3cr3t", "age": 151, "role": "king", "is_active": "no"}
    answer = admin.post("/api/v1/users", json=body, undeclared=True)
    assert (answer.status_code, pointers(answer)) == (422, {f"/{member}" for member in body})
    assert "s3cr3t" not in answer.text


def test_all_that_is_taken_is_named(admin, make):
    one, other = make().json(), make().json()
    body = form(username=one["username"].upper(), email=other["email"].upper())
    answer = admin.post("/api/v1/users", json=body)
    assert (answer.status_code, pointers(answer)) == (409, {"/username", "/email"})


def test_everybody_finds_themselves_and_nobody_else(make, log_in, manager):
    one, other = make(), make()
    client = log_in(one.json())
    assert client.get(one.headers["Location"]).json() == one.json()
    for caller in (client, manager):
        unknown = caller.get(f"/api/v1/users/{uuid4()}")
        hidden = caller.get(other.headers["Location"])
        assert (hidden.status_code, hidden.json()["detail"]) == (404, unknown.json()["detail"])


def test_those_without_the_scope_work_on_nobody(make, manager, customer):
    where = make().headers["Location"]
    for caller in (manager, customer):
        refusals = [
            caller.get("/api/v1/users"),
            caller.post("/api/v1/users", json=form()),
            caller.put(where, json=without_password(form()) | {"role": "admin", "is_active": True}),
            caller.patch(where, json={"role": "admin"}),
            caller.delete(where),
            caller.post(f"{where}/restoration"),
            caller.post(BATCH, json=[form()]),
            caller.delete(BATCH, params={"id": str(uuid4())}),
        ]
        assert {answer.status_code for answer in refusals} == {403}


def test_replacing_takes_all_but_the_password(admin, make, log_in):
    created = make(name="Meera", age=29)
    body = without_password(form()) | {"role": "manager", "is_active": True}
    replaced = admin.put(created.headers["Location"], json=body)
    assert (replaced.status_code, replaced.json()) == (200, replaced.json() | body | {"name": None, "age": None})
    assert replaced.headers["ETag"] == admin.get(created.headers["Location"]).headers["ETag"]
    assert log_in(body) is not None
    assert admin.put(created.headers["Location"], json=body | {"password": NEW}).status_code == 200
    assert (log_in(body), log_in(body, NEW) is not None) == (None, True)


@pytest.mark.parametrize("missing", ["username", "email", "role", "is_active"])
def test_replacing_leaves_nothing_to_guess(admin, make, missing):
    body = without_password(form()) | {"role": "manager", "is_active": True}
    del body[missing]
    answer = admin.put(make().headers["Location"], json=body, undeclared=True)
    assert (answer.status_code, pointers(answer)) == (422, {f"/{missing}"})


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
def test_a_patch_changes_what_it_names(admin, make, media_type):
    created = make(name="Meera", age=29)
    patch = partial(admin.patch, created.headers["Location"], headers={"Content-Type": media_type})
    changed = patch(content=b'{"name": "Meera Iyer", "age": null}').json()
    assert _lasting(changed) == _lasting(created.json() | {"name": "Meera Iyer", "age": None})


@pytest.mark.parametrize("patch", [{}, {"id": "x"}, {"email": None}, {"role": None}, {"password": "short"}, []])
def test_a_patch_that_says_nothing_or_too_much_is_refused(admin, make, patch):
    assert admin.patch(make().headers["Location"], json=patch, undeclared=True).status_code == 422


def test_a_change_of_another_version_is_refused(admin, make):
    created = make()
    where, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    assert admin.patch(where, json={"password": NEW, "age": 30}, headers=tag).status_code == 200
    assert admin.patch(where, json={"age": 31}, headers=tag).status_code == 412
    assert admin.delete(where, headers=tag).status_code == 412
    assert admin.get(where).json()["age"] == 30


@pytest.mark.parametrize("member", ["username", "email"])
def test_a_name_that_is_taken_is_not_taken_over(admin, make, member):
    one, other = make(), make()
    change = {member: one.json()[member].swapcase()}
    answer = admin.patch(other.headers["Location"], json=change)
    assert (answer.status_code, pointers(answer)) == (409, {f"/{member}"})
    assert admin.patch(one.headers["Location"], json=change).json()[member] == change[member]


def test_deleted_user_vanishes_and_comes_back(admin, make, log_in):
    created = make()
    where, user = created.headers["Location"], created.json()
    client = log_in(user)
    assert admin.delete(where).status_code == 204
    assert (is_in(client), log_in(user)) == (False, None)
    assert [admin.get(where).status_code, admin.patch(where, json={"age": 1}).status_code] == [404, 404]
    assert admin.delete(where).status_code == 404
    assert admin.get("/api/v1/users", params={"username": user["username"]}).json()["total"] == 0
    assert _lasting(admin.post(f"{where}/restoration").json()) == _lasting(user)
    assert admin.post(f"{where}/restoration").status_code == 404
    assert is_in(log_in(user))
    assert not is_in(client)


def test_names_of_a_deleted_user_are_free(admin, make):
    created = make()
    user, where = created.json(), created.headers["Location"]
    admin.delete(where)
    other = make(username=user["username"].upper())
    has_username, has_email = "Another user has this username.", "Another user has this email."
    refused = admin.post(f"{where}/restoration")
    assert (refused.status_code, refused.json()["detail"]) == (409, has_username)
    make(email=user["email"].upper())
    assert admin.post(f"{where}/restoration").json()["detail"] == f"{has_username} {has_email}"
    admin.delete(other.headers["Location"])
    assert admin.post(f"{where}/restoration").json()["detail"] == has_email


@pytest.mark.parametrize("change", [{"role": "customer"}, {"is_active": False}, {"password": NEW}])
def test_whose_access_changes_is_logged_out(admin, make, log_in, change):
    created = make(role="manager")
    sessions = [log_in(created.json()) for _ in range(2)]
    assert admin.patch(created.headers["Location"], json={"age": 40, "role": "manager"}).status_code == 200
    assert all(map(is_in, sessions))
    assert admin.patch(created.headers["Location"], json=change).status_code == 200
    assert not any(map(is_in, sessions))
    client = log_in(created.json(), change.get("password", PASSWORD))
    assert client is None if "is_active" in change else is_in(client)


def test_activated_user_may_log_in_again(admin, make, log_in):
    created = make()
    for is_active in (False, True):
        admin.patch(created.headers["Location"], json={"is_active": is_active})
        assert (log_in(created.json()) is not None) == is_active


@pytest.mark.parametrize("change", [{"role": "manager"}, {"is_active": False}, {"password": NEW}])
def test_nobody_changes_their_own_access(make, log_in, change):
    created = make(role="admin")
    client, where = log_in(created.json()), created.headers["Location"]
    refused = client.patch(where, json=change)
    assert (refused.status_code, pointers(refused)) == (409, {f"/{name}" for name in change})
    body = without_password(form()) | {"role": "admin", "is_active": True}
    assert pointers(client.put(where, json=body | change)) == {f"/{name}" for name in change}
    assert client.put(where, json=body).status_code == 200
    assert client.delete(where).status_code == 409
    assert client.delete(BATCH, params={"id": created.json()["id"]}).status_code == 409
    assert is_in(client)


def test_nobody_raises_themselves(make, log_in):
    created = make(role="manager")
    client = log_in(created.json())
    assert client.patch(created.headers["Location"], json={"role": "admin"}).status_code == 403
    assert client.patch("/api/v1/auth/me", json={"role": "admin"}, undeclared=True).status_code == 422


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory):
    """A service of its own, of whose admins a test may take one after the other away."""
    folder = tmp_path_factory.mktemp("shop")
    running = demo_shop(server.environment["ACCORD_DATABASE_URL"].partition(":")[0], folder)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def last_admin(shop, client_of):
    """The one who is left, first in a list."""
    return [client_of(shop, *LOGINS["admin"])]


@pytest.mark.parametrize("removal", REMOVALS)
def test_of_two_admins_who_remove_each_other_one_stays(shop, last_admin, client_of, removal):
    for _ in range(12):
        [one] = last_admin
        created = one.post("/api/v1/users", json=form(role="admin")).json()
        two = [one, client_of(shop, created["username"], PASSWORD)]
        others = [client.get("/api/v1/auth/me") for client in reversed(two)]
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(REMOVALS[removal], two, others))
        done = [answer.status_code in (200, 204) for answer in answers]
        assert sum(done) == 1, [answer.text for answer in answers]
        # Who is refused has been removed: the session ended before, or there was one admin left.
        assert [answer.status_code in (401, 409) for answer in answers] == done[::-1]
        assert [is_in(client) for client in two] == done
        last_admin[:] = [two[done.index(True)]]
    active = {"role": "admin", "is_active": True}
    assert last_admin[0].get("/api/v1/users", params=active).json()["total"] == 1


def test_batch_makes_all_in_their_order(admin, log_in):
    forms = [form(role=role) for role in ("customer", "manager", "admin")]
    answer = admin.post(BATCH, json=forms)
    assert answer.status_code == 201
    made = answer.json()["items"]
    assert [user["username"] for user in made] == [one["username"] for one in forms]
    assert [admin.get(user["_links"]["self"]["href"]).json() for user in made] == made
    assert all(is_in(log_in(user)) for user in made)


def test_batch_with_faults_makes_none_and_names_them_all(admin, make):
    taken = make().json()
    first = form()
    forms = [
        first,
        form(email=taken["email"].upper()),
        form(username=first["username"].upper()),
        form(username=taken["username"].upper(), email=first["email"]),
        form(),
    ]
    answer = admin.post(BATCH, json=forms)
    assert (answer.status_code, pointers(answer)) == (409, {"/1/email", "/2/username", "/3/username", "/3/email"})
    for one in (forms[0], forms[4]):
        assert admin.get("/api/v1/users", params={"username": one["username"]}).json()["total"] == 0


def test_batch_in_which_everything_is_taken_names_everything(admin):
    forms = [form() for _ in range(100)]
    assert admin.post(BATCH, json=forms).status_code == 201
    assert len(pointers(admin.post(BATCH, json=forms))) == 200


def test_broken_batch_is_refused_with_all_errors_at_once(admin):
    answer = admin.post(BATCH, json=[form(), form(age=151), form(username="x", colour="red")], undeclared=True)
    assert (answer.status_code, pointers(answer)) == (422, {"/1/age", "/2/username", "/2/colour"})
    for wrong in ([], [form() for _ in range(101)], form()):
        assert admin.post(BATCH, json=wrong, undeclared=True).status_code == 422


def test_repeated_batch_with_key_creates_once(admin):
    forms, key = [form() for _ in range(5)], {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: admin.post(BATCH, json=forms, headers=key), range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


def test_batches_that_want_the_same_names_do_not_share_them(admin):
    for _ in range(5):
        forms = [form() for _ in range(6)]
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda some: admin.post(BATCH, json=some), [forms, forms[::-1]] * 2))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_batch_of_ids_is_deleted_whole_or_not_at_all(admin, make, log_in):
    made = [make().json() for _ in range(3)]
    client, ids = log_in(made[1]), [user["id"] for user in made]
    unknown = [str(uuid4()), str(uuid4())]
    refused = admin.delete(BATCH, params={"id": [*ids, *unknown]})
    assert refused.status_code == 404
    assert [error["detail"].rpartition(" ")[2].rstrip(".") for error in refused.json()["errors"]] == unknown
    assert is_in(client)
    assert admin.delete(BATCH, params={"id": ids}).status_code == 204
    assert not is_in(client)
    assert {admin.get(f"/api/v1/users/{user_id}").status_code for user_id in ids} == {404}
    assert admin.delete(BATCH, params={"id": ids}).status_code == 404
    assert admin.delete(BATCH, params={"id": unknown[:1] * 2}).status_code == 400


@pytest.fixture
def names(admin):
    """The usernames, without the mark of this test, of the users who fit the filters, in order."""

    def names(mark, **filters):
        page = admin.get("/api/v1/users", params={"email": mark, "per_page": 100} | filters).json()
        return [user["username"].removesuffix(mark) for user in page["items"]]

    return names


@pytest.fixture
def mark():
    return uuid4().hex[:10]


def test_filters_hold_together(make, names, mark):
    def person(username, **members):
        make(username=f"{username}{mark}", email=f"{username}@{mark}.example", **members)

    person("Uschi_1", name="Uschi Löwe", age=30, role="manager")
    person("uschi.2", name="LÖWENHERZ 100%", age=40)
    person("olga-3", name="Ольга", age=None, is_active=False)
    person("strasse", name="Anna Maria STRASSE", age=20)

    assert names(mark) == ["olga-3", "strasse", "uschi.2", "Uschi_1"]
    assert names(mark, username="USCHI") == ["uschi.2", "Uschi_1"]
    assert names(mark, username="i_1") == ["Uschi_1"]
    assert names(mark, username="%") == []
    assert names(mark, name="löwe") == ["uschi.2", "Uschi_1"]
    assert names(mark, name="ОЛЬГА") == ["olga-3"]
    assert names(mark, name="straße") == ["strasse"]
    assert names(mark, name="a m") == ["strasse"]
    assert names(mark, name="100%") == ["uschi.2"]
    assert names(mark, name="1_0") == []
    assert names(mark, name="\\") == []
    assert names(mark, email=f"STRASSE@{mark}") == ["strasse"]
    assert names(mark, role="manager") == ["Uschi_1"]
    assert names(mark, is_active="false") == ["olga-3"]
    assert names(mark, is_active="true", max_age=30) == ["strasse", "Uschi_1"]
    assert names(mark, min_age=30) == ["uschi.2", "Uschi_1"]
    assert names(mark, min_age=31, max_age=39) == []
    assert names(mark, min_age=20, max_age=30, name="löwe", role="manager") == ["Uschi_1"]


def test_sorts_are_stable_and_those_without_an_age_come_last(make, names, mark):
    for username, age in [("cc", None), ("aa", 30), ("dd", 20), ("bb", 30), ("ee", None)]:
        make(username=f"{username}{mark}", email=f"{username[::-1]}.{age}@{mark}.example", age=age)
    assert names(mark, sort="age") == ["dd", "aa", "bb", "cc", "ee"]
    assert names(mark, sort="-age") == ["bb", "aa", "dd", "ee", "cc"]
    assert names(mark, sort="-username") == ["ee", "dd", "cc", "bb", "aa"]
    assert names(mark, sort="email") == ["aa", "bb", "cc", "dd", "ee"]
    assert names(mark, sort="created_at") == ["cc", "aa", "dd", "bb", "ee"]
    for sort in ("age", "-age"):
        pages = [names(mark, sort=sort, per_page=2, page=page) for page in (1, 2, 3)]
        assert [name for page in pages for name in page] == names(mark, sort=sort)


def test_pages_lead_to_one_another_with_all_that_was_asked(admin, make, mark):
    for n in range(5):
        make(email=f"p{n}@{mark}.example", name=f"Ä & {n}", age=n + 20, role="manager")
    asked = {"email": mark, "name": "ä &", "role": "manager", "is_active": True, "min_age": 21, "max_age": 30}
    page = admin.get("/api/v1/users", params=asked | {"sort": "-age", "per_page": 2}).json()
    assert page.items() >= (asked | {"sort": "-age", "total": 4, "pages": 2}).items()
    last = admin.get(page["_links"]["next"]["href"]).json()
    assert [user["age"] for user in page["items"] + last["items"]] == [24, 23, 22, 21]
    assert admin.get(last["_links"]["prev"]["href"]).json() == page


def _lasting(user):
    return {name: value for name, value in user.items() if name != "updated_at"}
