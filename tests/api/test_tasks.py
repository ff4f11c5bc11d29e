"""What has to be done, as its owners meet it, and others do not."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

TASKS = "/api/v1/tasks"
WHOLE = {"title": "Count the biscuits", "description": "All shelves.", "status": "completed", "due_date": "2026-12-24"}
WRITES = [
    ("PUT", "", {"title": "Mine now"}),
    ("PATCH", "", {"title": "Mine now"}),
    ("PUT", "/status", {"status": "completed"}),
    ("DELETE", "", None),
]


@pytest.fixture
def make(stranger):
    """Create a task of somebody who has no other tasks."""

    def make(**members):
        answer = stranger.post(TASKS, json={"title": "Count the biscuits"} | members)
        assert answer.status_code == 201, answer.text
        return answer

    return make


def titles(client, **params):
    return [item["title"] for item in client.get(TASKS, params=params).json()["items"]]


def test_created_task_is_the_callers_and_where_location_says(make, stranger):
    created, me = make(), stranger.get("/api/v1/auth/me").json()
    task = created.json()
    assert task["owner"] == {"id": me["id"], "username": me["username"]}
    assert (task["status"], task["description"], task["due_date"]) == ("pending", None, None)
    read = stranger.get(created.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (task, created.headers["ETag"])
    assert stranger.get(created.headers["Location"], headers={"If-None-Match": read.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("member", ["owner", "owner_id", "id", "created_at"])
def test_nobody_says_whose_a_task_is(stranger, member):
    answer = stranger.post(TASKS, json={"title": "Count the biscuits", member: str(uuid4())}, undeclared=True)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{member}")


def test_repeat_with_key_creates_once(stranger):
    key = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: stranger.post(TASKS, json=WHOLE, headers=key), range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert stranger.get(TASKS).json()["total"] == 1


def test_replacing_empties_what_is_missing(make, stranger):
    created = make(**WHOLE)
    replaced = stranger.put(created.headers["Location"], json={"title": "Count all"}).json()
    assert {name: replaced[name] for name in WHOLE} == {
        "title": "Count all", "description": None, "status": "pending", "due_date": None,
    }  # fmt: skip
    assert replaced["owner"] == created.json()["owner"]


def test_patch_changes_what_it_names_and_null_empties(make, stranger):
    where = make(**WHOLE).headers["Location"]
    changed = stranger.patch(
        where, content=b'{"due_date": null}', headers={"Content-Type": "application/merge-patch+json"}
    )
    assert {name: changed.json()[name] for name in WHOLE} == WHOLE | {"due_date": None}
    assert stranger.patch(where, json={"description": None}).json()["description"] is None


@pytest.mark.parametrize("patch", [{}, {"title": None}, {"status": None}, {"title": ""}, {"due_date": "2026-02-30"}])
def test_patch_that_is_none_is_refused(make, stranger, patch):
    where = make(**WHOLE).headers["Location"]
    assert stranger.patch(where, json=patch, undeclared=True).status_code == 422
    assert stranger.get(where).json()["title"] == WHOLE["title"]


def test_status_is_set_on_the_version_that_was_read(make, stranger):
    created = make()
    where, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    done = stranger.put(f"{where}/status", json={"status": "completed"}, headers=tag)
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    assert done.headers["ETag"] == stranger.get(where).headers["ETag"]
    assert stranger.put(f"{where}/status", json={"status": "pending"}, headers=tag).status_code == 412
    assert stranger.put(f"{where}/status", json={"status": "shipped"}, undeclared=True).status_code == 422


def test_deleted_task_is_gone_for_good(make, stranger):
    where = make().headers["Location"]
    assert [stranger.delete(where).status_code for _ in range(2)] == [204, 404]
    assert stranger.get(where).status_code == 404
    assert stranger.get(TASKS).json()["total"] == 0


@pytest.mark.parametrize("conditions", [{}, {"If-Match": "*"}, {"If-Match": '"other"'}])
def test_task_of_somebody_else_is_not_there(make, customer, conditions):
    created = make()
    where, tag = created.headers["Location"], created.headers["ETag"]
    for method, part, body in WRITES:
        options = {} if body is None else {"json": body}
        assert customer.request(method, where + part, headers=conditions, **options).status_code == 404
    assert [customer.request(method, where).status_code for method in ("GET", "HEAD")] == [404, 404]
    assert customer.get(where, headers={"If-None-Match": tag}).status_code == 404
    assert created.json()["id"] not in customer.get(TASKS, params={"per_page": 100}).text


def test_nobody_is_asked_who_they_are(anonymous, make):
    where = make().headers["Location"]
    assert anonymous.get(TASKS).status_code == anonymous.get(where).status_code == 401


@pytest.mark.parametrize("role", ["manager", "admin"])
def test_those_who_read_all_tasks_write_their_own_only(make, stranger, request, role):
    reader, created = request.getfixturevalue(role), make()
    where = created.headers["Location"]
    assert reader.get(where).json() == created.json()
    assert created.json()["id"] in [item["id"] for item in reader.get(TASKS).json()["items"]]
    for method, part, body in WRITES[:3]:
        assert reader.request(method, where + part, json=body).status_code == 404
    assert stranger.get(where).json() == created.json()


def test_admin_deletes_anybodys_task_and_manager_does_not(make, stranger, manager, admin):
    where = make().headers["Location"]
    assert manager.delete(where).status_code == 404
    assert admin.delete(where).status_code == 204
    assert stranger.get(where).status_code == 404


def test_filters_hold_together(make, stranger):
    make(title="Never due")
    make(title="Due", due_date="2026-12-24")
    make(title="Done", due_date="2026-12-23", status="completed")
    assert titles(stranger) == ["Done", "Due", "Never due"]
    assert titles(stranger, status="pending") == ["Due", "Never due"]
    assert titles(stranger, due_before="2026-12-25") == ["Done", "Due"]
    assert titles(stranger, due_before="2026-12-24") == ["Done"]
    assert titles(stranger, due_before="2026-12-24", status="pending") == []
    refused = stranger.get(TASKS, params={"due_before": "2026-02-30"})
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, "due_before")


def test_pages_lead_to_one_another_newest_first(make, stranger):
    made = [make(due_date="2026-12-24").json()["id"] for _ in range(5)]
    page, seen = stranger.get(TASKS, params={"per_page": 2, "due_before": "2027-01-01"}).json(), []
    assert (page["total"], page["pages"]) == (5, 3)
    while True:
        seen += [item["id"] for item in page["items"]]
        if "next" not in page["_links"]:
            break
        page = stranger.get(page["_links"]["next"]["href"]).json()
    assert seen == made[::-1]


def test_pages_by_cursor_show_every_task_once_while_others_are_added(make, stranger):
    first = [make().json()["id"] for _ in range(5)]
    page, seen = stranger.get(TASKS, params={"per_page": 2, "cursor": "*"}).json(), []
    while True:
        seen += [item["id"] for item in page["items"]]
        make()
        if "next" not in page["_links"]:
            break
        page = stranger.get(page["_links"]["next"]["href"]).json()
    assert seen == first[::-1]
