"""Customers as version 1 of the contract has them."""

import csv
import io
from uuid import uuid4

import pytest

CUSTOMERS = "/api/v1/customers"
SUCCESSOR = "/api/v2/customers"


def email():
    return f"{uuid4().hex}@customers.example"


def phone():
    return f"+91{uuid4().int % 10**10:010}"


def customer_of(**members):
    return {"name": "Asha", "email": email(), "phone": phone()} | members


@pytest.fixture
def make(manager):
    def make(**members):
        answer = manager.post(CUSTOMERS, json=customer_of(**members))
        assert answer.status_code == 201, answer.text
        return answer

    return make


def names(client, **params):
    return [item["name"] for item in client.get(CUSTOMERS, params=params).json()["items"]]


def test_created_customer_is_where_location_says(make, manager):
    created = make(city="Pune")
    read = manager.get(created.headers["Location"])
    assert read.json() == created.json()
    assert read.headers["ETag"] == created.headers["ETag"]
    assert (read.json()["city"], read.json()["photo_url"]) == ("Pune", None)


def test_repeat_with_key_creates_once(manager):
    body, key = customer_of(), {"Idempotency-Key": str(uuid4())}
    first, second = (manager.post(CUSTOMERS, json=body, headers=key) for _ in range(2))
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_version_1_asks_for_a_phone(manager):
    answer = manager.post(CUSTOMERS, json={"name": "Asha", "email": email()}, undeclared=True)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/phone"]


@pytest.mark.parametrize("number", ["9731424784", "+0731424784", "+91 9731424784", "+919731424784123456", "+91973"])
def test_phone_is_an_international_number(manager, number):
    answer = manager.post(CUSTOMERS, json=customer_of(phone=number), undeclared=True)
    assert answer.status_code == 422
    assert "/phone" in {error["pointer"] for error in answer.json()["errors"]}


def test_email_is_taken_in_any_case(make, manager):
    taken = make().json()["email"]
    answer = manager.post(CUSTOMERS, json=customer_of(email=taken.upper()))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/email")


def test_phone_is_of_one_customer(make, manager):
    taken = make().json()["phone"]
    assert manager.post(CUSTOMERS, json=customer_of(phone=taken)).json()["errors"][0]["pointer"] == "/phone"
    assert manager.patch(make().headers["Location"], json={"phone": taken}).status_code == 409


def test_all_that_another_customer_has_is_named(make, manager):
    taken = {member: make().json()[member] for member in ("email", "phone")}
    answer = manager.post(CUSTOMERS, json=customer_of(**taken))
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (409, ["/email", "/phone"])


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_runs_what_a_customer_is_called(make, manager, first):
    name, city = f"{first}1+1 {uuid4().hex}", f"{first}2+2 {uuid4().hex}"
    made = make(name=name, city=city).json()
    for customers, place in ((CUSTOMERS, "city"), (SUCCESSOR, "location")):
        table = manager.get(customers, params={place: city}, headers={"Accept": "text/csv"}).text
        (row,) = csv.DictReader(io.StringIO(table, newline=""), strict=True)
        assert (row["id"], row["name"], row[place]) == (made["id"], f"'{name}", f"'{city}")


def test_replacing_takes_defaults_for_what_is_missing(make, manager):
    created = make(city="Pune")
    replaced = manager.put(created.headers["Location"], json=customer_of(name="Usha")).json()
    assert (replaced["name"], replaced["city"], replaced["id"]) == ("Usha", None, created.json()["id"])


def test_patch_changes_what_it_names(make, manager):
    created = make(city="Pune")
    merge_patch = {"Content-Type": "application/merge-patch+json"}
    changed = manager.patch(created.headers["Location"], content=b'{"city": null}', headers=merge_patch).json()
    assert changed == created.json() | {"city": None, "updated_at": changed["updated_at"]}
    assert manager.patch(created.headers["Location"], json={}, undeclared=True).status_code == 422


def test_change_of_another_version_is_refused(make, manager):
    created = make()
    where, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    assert manager.patch(where, json={"name": "Usha"}, headers=tag).status_code == 200
    assert manager.patch(where, json={"name": "Isha"}, headers=tag).status_code == 412
    assert manager.delete(where, headers=tag).status_code == 412
    assert manager.get(where).json()["name"] == "Usha"


def test_deleted_customer_vanishes_and_comes_back_by_the_admin(make, admin, manager):
    created = make(city=f"City {uuid4()}")
    where, city = created.headers["Location"], created.json()["city"]
    assert [manager.delete(where).status_code for _ in range(2)] == [204, 404]
    assert manager.get(where).status_code == 404
    assert names(manager, city=city) == []
    assert manager.post(f"{where}/restoration").status_code == 403
    assert admin.post(f"{where}/restoration").json()["email"] == created.json()["email"]
    assert admin.post(f"{where}/restoration").status_code == 404
    assert names(manager, city=city) == ["Asha"]


@pytest.mark.parametrize("member", ["email", "phone"])
def test_what_a_deleted_customer_had_is_free(make, admin, manager, member):
    first = make()
    manager.delete(first.headers["Location"])
    make(**{member: first.json()[member]})
    answer = admin.post(f"{first.headers['Location']}/restoration")
    assert (answer.status_code, answer.json()["detail"]) == (409, f"Another customer has this {member}.")


def test_city_is_compared_whole_and_in_any_case(make, manager):
    place = uuid4().hex
    make(name="Rahel", city=f"Zürich {place}")
    make(name="Noam", city=f"ZÜRICH {place}")
    make(name="Levi", city=f"Zürich {place} Nord")
    make(name="Mira")
    page = manager.get(CUSTOMERS, params={"city": f"zürich {place}"}).json()
    assert [item["name"] for item in page["items"]] == ["Noam", "Rahel"]
    assert page["city"] == f"zürich {place}"


def test_search_takes_every_word_literally_in_any_case(make, manager):
    city = f"City {uuid4()}"
    make(name="Änne 100%", city=city)
    make(name="Bo_b", city=city, email=f"Bobby.{email()}")
    make(name="Cid", city=city)
    assert names(manager, city=city, q="ÄNNE") == ["Änne 100%"]
    assert names(manager, city=city, q="%") == ["Änne 100%"]
    assert names(manager, city=city, q="_") == ["Bo_b"]
    assert names(manager, city=city, q="BOBBY bo_") == ["Bo_b"]
    assert names(manager, city=city, q="bobby cid") == []


def test_customers_are_sorted_both_ways(make, manager):
    city = f"City {uuid4()}"
    for name in ("bela", "Anna", "Cora"):
        make(name=name, city=city)
    assert names(manager, city=city) == ["Anna", "bela", "Cora"]
    assert names(manager, city=city, sort="-name") == ["Cora", "bela", "Anna"]
    assert names(manager, city=city, sort="created_at") == ["bela", "Anna", "Cora"]
    assert names(manager, city=city, sort="-created_at") == ["Cora", "Anna", "bela"]


@pytest.mark.parametrize("start", [{"page": 1}, {"cursor": "*"}])
def test_pages_show_every_customer_once(make, manager, start):
    city = f"City {uuid4()}"
    made = {make(city=city).json()["id"] for _ in range(5)}
    page, seen = manager.get(CUSTOMERS, params={"city": city, "per_page": 2} | start).json(), []
    while True:
        seen += [item["id"] for item in page["items"]]
        if "next" not in page["_links"]:
            break
        page = manager.get(page["_links"]["next"]["href"]).json()
    assert len(seen) == 5
    assert set(seen) == made


def test_ordinary_customers_of_the_shop_see_no_other(make, customer):
    where = make().headers["Location"]
    answers = [
        customer.get(CUSTOMERS),
        customer.post(CUSTOMERS, json=customer_of()),
        customer.get(where),
        customer.put(where, json=customer_of()),
        customer.patch(where, json={"name": "Usha"}),
        customer.delete(where),
        customer.post(f"{where}/restoration"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 7


def test_every_answer_says_what_comes_after_version_1(make, manager, customer, anonymous):
    where = make().headers["Location"]
    read, unknown = manager.get(where), f"{CUSTOMERS}/{uuid4()}"
    answers = [
        read,
        manager.get(where, headers={"If-None-Match": read.headers["ETag"]}),
        manager.post(CUSTOMERS, json={}, undeclared=True),
        customer.get(where),
        anonymous.get(where),
        manager.get(unknown),
        manager.delete(where),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 422, 403, 401, 404, 204]
    for answer in answers:
        assert answer.headers["Deprecation"] == "@1788220800"
        assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        path = answer.request.url.path.replace(CUSTOMERS, SUCCESSOR)
        assert f'<{path}>; rel="successor-version"' in answer.headers["Link"]
