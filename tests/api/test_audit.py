"""The audit trail, as those who look into it meet it."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

EVENTS = "/api/v1/audit-events"
PRODUCTS = "/api/v1/products"


@pytest.fixture
def category(admin):
    return admin.post("/api/v1/categories", json={"name": f"Category {uuid4()}"}).json()["id"]


@pytest.fixture
def pencil(category):
    sku = f"T-{uuid4().hex[:20].upper()}"
    return {"sku": sku, "name": "Pencil", "price": "12.50", "stock": 3, "category_id": category, "tags": []}


def told(client, **filters):
    answer = client.get(EVENTS, params=filters)
    assert answer.status_code == 200
    return answer.json()["items"]


def of(client, thing):
    return told(client, object_id=thing.json()["id"])


def me(client):
    user = client.get("/api/v1/auth/me").json()
    return {"id": user["id"], "username": user["username"]}


def test_life_of_a_product_is_told_newest_first(admin, manager, pencil):
    made = admin.post(PRODUCTS, json=pencil)
    where = made.headers["Location"]
    answers = [
        made,
        manager.patch(where, json={"stock": 7, "price": "11.00"}),
        admin.put(where, json=pencil | {"stock": 7, "price": "11.00", "description": "Yellow."}),
        admin.delete(where),
        admin.post(f"{where}/restoration"),
    ]
    events = of(admin, made)[::-1]
    assert [event["action"] for event in events] == [
        "create_product", "update_product", "replace_product", "delete_product", "restore_product",
    ]  # fmt: skip
    assert [event["request_id"] for event in events] == [answer.headers["X-Request-Id"] for answer in answers]
    assert [event["actor"] for event in events] == [me(manager) if n == 1 else me(admin) for n in range(5)]
    created, updated, replaced, deleted, restored = (event["changes"] for event in events)
    assert created == {name: {"from": None, "to": value} for name, value in pencil.items() if name != "tags"}
    assert updated == {"stock": {"from": 3, "to": 7}, "price": {"from": "12.50", "to": "11.00"}}
    assert replaced == {"description": {"from": None, "to": "Yellow."}}
    assert deleted["deleted_at"]["to"] == restored["deleted_at"]["from"] is not None


def test_tags_are_told_with_their_product(admin, pencil):
    word = f"Wood {uuid4().hex}"
    made = admin.post(PRODUCTS, json=pencil | {"tags": ["Dairy", word]})
    admin.put(made.headers["Location"], json=pencil | {"tags": [word]})
    replaced, created = of(admin, made)
    assert created["changes"]["tags"] == {"from": [], "to": ["Dairy", word]}
    assert replaced["changes"] == {"tags": {"from": ["Dairy", word], "to": [word]}}
    news = [e for e in told(admin, action="create_product") if e["request_id"] == created["request_id"]]
    assert [e["changes"] for e in news if e["object"]["type"] == "tags"] == [{"name": {"from": None, "to": word}}]


def test_event_is_where_its_link_leads(admin, pencil):
    (event,) = of(admin, admin.post(PRODUCTS, json=pencil))
    assert admin.get(event["_links"]["self"]["href"]).json() == event
    assert event["object"]["type"] == "products"


def test_what_changes_nothing_leaves_none(admin, pencil):
    made = admin.post(PRODUCTS, json=pencil)
    assert admin.put(made.headers["Location"], json=pencil).status_code == 200
    assert len(of(admin, made)) == 1


def test_repeat_with_key_leaves_none(admin, pencil):
    key = {"Idempotency-Key": str(uuid4())}
    first, again = (admin.post(PRODUCTS, json=pencil, headers=key) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert [event["request_id"] for event in of(admin, first)] == [first.headers["X-Request-Id"]]


def test_refused_changes_leave_none(admin, pencil):
    made = admin.post(PRODUCTS, json=pencil)
    where, name = made.headers["Location"], {"X-Request-Id": f"refused-{uuid4()}"}
    assert admin.post(PRODUCTS, json=pencil | {"tags": [uuid4().hex]}, headers=name).status_code == 409
    assert admin.put(where, json=pencil | {"category_id": str(uuid4())}, headers=name).status_code == 422
    assert admin.patch(where, json={"stock": 9}, headers=name | {"If-Match": '"other"'}).status_code == 412
    assert name["X-Request-Id"] not in [event["request_id"] for event in told(admin, per_page=100)]


def test_log_in_is_told_without_a_secret(anonymous, admin):
    person = {"username": f"p{uuid4().hex[:12]}", "password": "correct horse battery staple"}
    user = anonymous.post("/api/v1/auth/register", json=person | {"email": f"{person['username']}@shop.example"})
    (registered,) = of(admin, user)
    assert (registered["actor"], registered["action"]) == (None, "register_user")
    assert registered["changes"]["password_hash"] == {}
    pair = anonymous.post("/api/v1/auth/login", json=person, headers={"User-Agent": "Tester"})
    logged_in = next(e for e in told(admin, action="log_in") if e["request_id"] == pair.headers["X-Request-Id"])
    assert logged_in["object"]["type"] == "sessions"
    assert logged_in["changes"]["user_id"]["to"] == user.json()["id"]
    assert logged_in["changes"]["user_agent"]["to"] == "Tester"


def test_end_of_a_session_whose_refresh_token_came_twice_is_told(anonymous, admin):
    person = {"username": f"p{uuid4().hex[:12]}", "password": "correct horse battery staple"}
    anonymous.post("/api/v1/auth/register", json=person | {"email": f"{person['username']}@shop.example"})
    token = {"refresh_token": anonymous.post("/api/v1/auth/login", json=person).json()["refresh_token"]}
    successor = anonymous.post("/api/v1/auth/refresh", json=token).json()
    anonymous.post("/api/v1/auth/refresh", json={"refresh_token": successor["refresh_token"]}).raise_for_status()
    refused = anonymous.post("/api/v1/auth/refresh", json=token)
    assert refused.status_code == 401
    ended, *_ = told(admin, action="refresh_tokens")
    assert ended["request_id"] == refused.json()["request_id"]
    assert ended["changes"].keys() == {"revoked_at"}


def test_filters_narrow_it_down(admin, manager, pencil):
    made = admin.post(PRODUCTS, json=pencil)
    manager.patch(made.headers["Location"], json={"stock": 4})
    changed, created = of(admin, made)
    one = {"object_id": made.json()["id"]}
    assert told(admin, **one, actor=me(manager)["id"]) == [changed]
    assert told(admin, **one, action="create_product") == [created]
    assert told(admin, **one, object_type="products") == [changed, created]
    assert told(admin, **one, object_type="tags") == []
    later = (datetime.fromisoformat(changed["at"]) + timedelta(microseconds=1)).isoformat()
    assert told(admin, **one, **{"from": changed["at"]}) == [changed]
    assert told(admin, **one, to=changed["at"]) == [created]
    assert told(admin, **one, **{"from": created["at"], "to": later}) == [changed, created]


def test_pages_keep_their_filters_and_see_nothing_twice(admin, pencil):
    made = admin.post(PRODUCTS, json=pencil)
    for stock in range(10, 15):
        admin.patch(made.headers["Location"], json={"stock": stock})
    page, seen = admin.get(EVENTS, params={"object_id": made.json()["id"], "per_page": 2}).json(), []
    while True:
        seen += [event["changes"]["stock"]["to"] for event in page["items"]]
        if "next" not in page["_links"]:
            break
        admin.patch(made.headers["Location"], json={"stock": 100 + len(seen)})
        page = admin.get(page["_links"]["next"]["href"]).json()
    assert seen == [14, 13, 12, 11, 10, 3]


def test_cursor_of_another_question_is_refused(admin, pencil):
    admin.post(PRODUCTS, json=pencil)
    admin.post(PRODUCTS, json=pencil | {"sku": f"{pencil['sku']}-2"})
    cursor = admin.get(EVENTS, params={"per_page": 1}).json()["next_cursor"]
    assert admin.get(EVENTS, params={"cursor": cursor, "action": "log_in"}).status_code == 400


def test_nobody_else_sees_it(anonymous, manager, customer):
    assert [client.get(EVENTS).status_code for client in (anonymous, manager, customer)] == [401, 403, 403]


def test_nobody_changes_it(admin):
    event = told(admin)[0]["_links"]["self"]["href"]
    for path in (EVENTS, event):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert admin.request(method, path, undeclared=True).status_code == 405
