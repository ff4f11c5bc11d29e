"""Customers as version 2 of the contract has them, beside version 1."""

from uuid import uuid4

import pytest

FIRST, SECOND = "/api/v1/customers", "/api/v2/customers"


def customer_of(**members):
    return {"name": "Asha", "email": f"{uuid4().hex}@customers.example"} | members


def phone():
    return f"+91{uuid4().int % 10**10:010}"


@pytest.fixture
def make(manager):
    def make(at=SECOND, **members):
        answer = manager.post(at, json=customer_of(**members))
        assert answer.status_code == 201, answer.text
        return answer

    return make


def test_created_customer_is_where_location_says(make, manager):
    created = make(location="Pune")
    assert created.headers["Location"].startswith(f"{SECOND}/")
    assert created.json()["_links"]["self"]["href"] == created.headers["Location"]
    assert manager.get(created.headers["Location"]).json() == created.json()
    assert created.json().keys() == {
        "id", "name", "location", "email", "photo", "created_at", "updated_at", "_links",
    }  # fmt: skip


def test_version_1_reads_what_version_2_writes(make, manager):
    created = make(location="Pune").json()
    read = manager.get(f"{FIRST}/{created['id']}").json()
    assert (read["city"], read["phone"], read["photo_url"]) == ("Pune", None, None)
    assert read["email"] == created["email"]
    assert read["_links"]["self"]["href"] == f"{FIRST}/{created['id']}"


def test_version_2_reads_what_version_1_writes(make, manager):
    created = make(at=FIRST, city="Pune", phone=phone()).json()
    read = manager.get(f"{SECOND}/{created['id']}").json()
    assert (read["location"], read["photo"], read["created_at"]) == ("Pune", None, created["created_at"])
    assert manager.patch(f"{FIRST}/{created['id']}", json={"city": "Goa"}).status_code == 200
    assert manager.get(f"{SECOND}/{created['id']}").json()["location"] == "Goa"


def test_phone_that_version_1_gave_stays(make, manager):
    created = make(at=FIRST, city="Pune", phone=phone()).json()
    where = f"{SECOND}/{created['id']}"
    assert manager.put(where, json=customer_of(name="Usha")).json()["location"] is None
    assert manager.patch(where, json={"location": "Goa"}).status_code == 200
    read = manager.get(f"{FIRST}/{created['id']}").json()
    assert (read["name"], read["city"], read["phone"]) == ("Usha", "Goa", created["phone"])


@pytest.mark.parametrize("member", ["phone", "city"])
def test_words_of_version_1_are_refused(make, manager, member):
    for answer in (
        manager.post(SECOND, json=customer_of(**{member: "+919731424784"}), undeclared=True),
        manager.patch(make().headers["Location"], json={member: "+919731424784"}, undeclared=True),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{member}")
    assert manager.get(SECOND, params={"city": "Pune"}, undeclared=True).status_code == 400


def test_email_is_taken_in_both_versions(make, manager):
    taken = make().json()["email"]
    for answer in (
        manager.post(FIRST, json=customer_of(email=taken.upper(), phone=phone())),
        manager.post(SECOND, json=customer_of(email=taken.upper())),
        manager.patch(make().headers["Location"], json={"email": taken}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/email")


def test_many_customers_have_no_phone(make):
    assert make().json()["id"] != make().json()["id"]


def test_customer_is_deleted_and_restored_in_both_versions(make, manager, admin):
    created = make().json()
    first, second = f"{FIRST}/{created['id']}", f"{SECOND}/{created['id']}"
    assert manager.delete(first).status_code == 204
    assert [manager.get(where).status_code for where in (first, second)] == [404, 404]
    assert admin.post(f"{second}/restoration").json()["email"] == created["email"]
    assert [manager.get(where).status_code for where in (first, second)] == [200, 200]


def test_location_is_compared_whole_and_in_any_case(make, manager):
    place = uuid4().hex
    make(name="Rahel", location=f"Zürich {place}")
    make(name="Noam", at=FIRST, city=f"ZÜRICH {place}", phone=phone())
    make(name="Levi", location=f"Zürich {place} Nord")
    page = manager.get(SECOND, params={"location": f"zürich {place}"}).json()
    assert [item["name"] for item in page["items"]] == ["Noam", "Rahel"]
    assert page["location"] == f"zürich {place}"


def test_pages_lead_to_pages_of_the_same_version(make, manager):
    location = f"Place {uuid4()}"
    made = {make(location=location).json()["id"] for _ in range(3)}
    page, seen = manager.get(SECOND, params={"location": location, "per_page": 1, "cursor": "*"}).json(), []
    while True:
        seen += [item["id"] for item in page["items"]]
        assert all(link["href"].startswith(SECOND) for link in page["_links"].values())
        if "next" not in page["_links"]:
            break
        page = manager.get(page["_links"]["next"]["href"]).json()
    assert len(seen) == 3
    assert set(seen) == made


def test_cursor_of_one_version_goes_on_in_the_other(make, manager):
    place = f"Place {uuid4()}"
    made = [make(name=name, location=place).json()["id"] for name in ("Asha", "Usha")]
    asked = {"per_page": 1, "sort": "name"}
    first = manager.get(FIRST, params=asked | {"city": place, "cursor": "*"}).json()
    second = manager.get(SECOND, params=asked | {"location": place, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for page in (first, second) for item in page["items"]] == made


def test_version_2_is_there_to_stay(make, manager):
    answer = manager.get(make().headers["Location"])
    assert {"deprecation", "sunset", "link"} & set(answer.headers) == set()


def test_ordinary_customers_of_the_shop_see_no_other(make, customer):
    where = make().headers["Location"]
    answers = [
        customer.get(SECOND),
        customer.post(SECOND, json=customer_of()),
        customer.get(where),
        customer.put(where, json=customer_of()),
        customer.patch(where, json={"name": "Usha"}),
        customer.delete(where),
        customer.post(f"{where}/restoration"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 7
