"""The catalogue's products, as its callers meet them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import pytest


def sku():
    return f"T-{uuid4().hex[:20].upper()}"


@pytest.fixture
def category(admin):
    return admin.post("/api/v1/categories", json={"name": f"Category {uuid4()}"}).json()["id"]


@pytest.fixture
def make(admin, category):
    def make(**members):
        body = {"sku": sku(), "name": "Pencil", "price": "12.50", "stock": 3, "category_id": category}
        answer = admin.post("/api/v1/products", json=body | members)
        assert answer.status_code == 201, answer.text
        return answer

    return make


def test_created_product_is_where_location_says(make, anonymous):
    created = make(tags=["Wood", "School"], description="A yellow one.")
    read = anonymous.get(created.headers["Location"])
    assert read.json() == created.json()
    assert read.headers["ETag"] == created.headers["ETag"]
    assert read.json()["tags"] == ["Wood", "School"]
    assert read.json()["price"] == "12.50"


def test_unchanged_product_is_304_on_the_second_read(make, anonymous):
    where = make().headers["Location"]
    tag = anonymous.get(where).headers["ETag"]
    again = anonymous.get(where, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)


def test_repeat_with_key_creates_once(admin, category):
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category}
    key = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: admin.post("/api/v1/products", json=body, headers=key), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7
    assert len({answer.headers["Location"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["k", "urn:order/1=2", "~" * 255, "".join(map(chr, range(0x21, 0x7F)))[2:] + '"!\\'])
def test_key_has_up_to_255_visible_characters_in_quotes_or_bare(admin, category, key):
    key = f"{key}-{uuid4().hex}"[-255:]
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category}
    answers = [admin.post("/api/v1/products", json=body, headers={"Idempotency-Key": form}) for form in (key, quoted)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["~" * 256, '"' + "~" * 256 + '"', '"unclosed', "two words"])
def test_malformed_key_is_refused(admin, category, key):
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category}
    answer = admin.post("/api/v1/products", json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Idempotency-Key")


def test_key_of_another_request_is_refused(admin, category):
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category}
    key = {"Idempotency-Key": str(uuid4())}
    assert admin.post("/api/v1/products", json=body, headers=key).status_code == 201
    assert admin.post("/api/v1/products", json=body | {"stock": 4}, headers=key).status_code == 422


def test_failure_keeps_no_key(admin, make, category):
    taken, key = make().json()["sku"], {"Idempotency-Key": str(uuid4())}
    body = {"sku": taken, "name": "Pencil", "price": "12.50", "category_id": category}
    assert admin.post("/api/v1/products", json=body, headers=key).status_code == 409
    assert admin.post("/api/v1/products", json=body | {"sku": sku()}, headers=key).status_code == 201


def test_customer_may_not_create(customer, category):
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category}
    answer = customer.post("/api/v1/products", json=body)
    assert answer.status_code == 403
    assert 'scope="catalogue:write"' in answer.headers["WWW-Authenticate"]


def test_broken_body_is_refused_with_all_errors_at_once(admin):
    body = {"sku": "x", "name": "", "price": "0.00", "stock": -1, "colour": "red"}
    answer = admin.post("/api/v1/products", json=body, undeclared=True)
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/sku", "/name", "/price", "/stock", "/colour", "/category_id"}


def test_unknown_category_is_422_at_its_member(admin):
    body = {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": str(uuid4())}
    answer = admin.post("/api/v1/products", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/category_id")


def test_taken_sku_is_a_conflict(make, admin, category):
    body = {"sku": make().json()["sku"], "name": "Pen", "price": "1.00", "category_id": category}
    answer = admin.post("/api/v1/products", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/sku")


def test_manager_changes_the_price_of_the_version_that_was_read(make, manager, anonymous):
    created = make()
    where, tag = created.headers["Location"], created.headers["ETag"]
    changed = manager.patch(where, json={"price": "13.00"}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["price"]) == (200, "13.00")
    assert anonymous.get(where).headers["ETag"] == changed.headers["ETag"] != tag
    assert manager.patch(where, json={"price": "14.00"}, headers={"If-Match": tag}).status_code == 412
    assert anonymous.get(where).json()["price"] == "13.00"


def test_of_eight_changes_of_one_version_one_happens(make, manager):
    for _ in range(10):
        created = make()
        where, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
        change = partial(manager.patch, where, headers=tag)
        with ThreadPoolExecutor(8) as threads:
            answers = threads.map(lambda n, change=change: change(json={"stock": n}), range(100, 108))
            assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


@pytest.mark.parametrize("names", [["Wood"] * 8, list("abcdefgh")], ids=["same", "others"])
def test_of_eight_changes_of_tags_of_one_version_one_happens(make, admin, names):
    for _ in range(10):
        created = make()
        where, tag, product = created.headers["Location"], {"If-Match": created.headers["ETag"]}, created.json()
        body = {name: product[name] for name in ("sku", "name", "price", "stock")}
        body["category_id"] = product["category"]["id"]
        change = partial(admin.put, where, headers=tag)
        with ThreadPoolExecutor(8) as threads:
            bodies = [{**body, "tags": [name]} for name in names]
            answers = [*threads.map(lambda body, change=change: change(json=body), bodies)]
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
        (changed,) = (answer.json() for answer in answers if answer.status_code == 200)
        assert admin.get(where).json() == changed


def test_manager_may_not_replace_and_may_change_price_and_stock_only(make, manager):
    where = make().headers["Location"]
    assert manager.patch(where, json={"name": "Pen"}, undeclared=True).status_code == 422
    assert manager.delete(where).status_code == 403


def test_replacing_takes_defaults_for_what_is_missing(make, admin, category):
    created = make(tags=["Wood"], description="A yellow one.")
    body = {"sku": created.json()["sku"], "name": "Pen", "price": "2.00", "category_id": category}
    replaced = admin.put(created.headers["Location"], json=body).json()
    assert (replaced["name"], replaced["description"], replaced["stock"], replaced["tags"]) == ("Pen", None, 0, [])


def test_deleted_product_vanishes_and_comes_back(make, admin, anonymous, category):
    created = make()
    where, name = created.headers["Location"], created.json()["sku"]
    assert admin.delete(where).status_code == 204
    assert anonymous.get(where).status_code == 404
    assert admin.delete(where).status_code == 404
    assert anonymous.get("/api/v1/products", params={"category": category}).json()["total"] == 0
    assert admin.post(f"{where}/restoration").json()["sku"] == name
    assert admin.post(f"{where}/restoration").status_code == 404
    assert anonymous.get(where).status_code == 200


def test_sku_of_a_deleted_product_is_free(make, admin):
    created = make()
    admin.delete(created.headers["Location"])
    make(sku=created.json()["sku"])
    answer = admin.post(f"{created.headers['Location']}/restoration")
    assert (answer.status_code, answer.json()["detail"]) == (409, "Another product has this SKU.")


def test_page_keeps_a_price_filter_as_it_was_typed(anonymous):
    page = anonymous.get("/api/v1/products", params={"max_price": "500", "min_price": "0.5"}).json()
    assert (page["min_price"], page["max_price"]) == ("0.5", "500")
    assert anonymous.get(page["_links"]["self"]["href"]).json()["total"] == page["total"]


def test_filters_hold_together(make, anonymous, category):
    make(name="Löwe", price="10.00", stock=0, tags=["Tier"])
    make(name="Tiger 100%", price="20.00", stock=1, tags=["Tier", "Katze"])
    make(name="Maus_2", price="30.00", stock=2, description="Grau wie ein LÖWENZAHN nie ist.")

    def names(**filters):
        page = anonymous.get("/api/v1/products", params={"category": category, "sort": "price"} | filters).json()
        return [item["name"] for item in page["items"]]

    assert names() == ["Löwe", "Tiger 100%", "Maus_2"]
    assert names(min_price="10.01", max_price="30.00") == ["Tiger 100%", "Maus_2"]
    assert names(min_price="10.1", max_price="30") == ["Tiger 100%", "Maus_2"]
    assert names(min_price="30.01", max_price="10") == []
    assert names(in_stock="false") == ["Löwe"]
    assert names(tag=["tier", "KATZE"]) == ["Tiger 100%"]
    assert names(q="LÖWE") == ["Löwe", "Maus_2"]
    assert names(q="0%") == ["Tiger 100%"]
    assert names(q="s_2") == ["Maus_2"]
    assert names(q="maus grau") == ["Maus_2"]
    assert names(q="maus löwin") == []
    assert names(sort="-name") == ["Tiger 100%", "Maus_2", "Löwe"]


def test_pages_by_number_lead_to_one_another(make, anonymous, category):
    for _ in range(5):
        make()
    page = anonymous.get("/api/v1/products", params={"category": category, "per_page": 2, "sort": "created_at"}).json()
    assert (page["total"], page["pages"], "prev" in page["_links"]) == (5, 3, False)
    seen = [item["id"] for item in page["items"]]
    while "next" in page["_links"]:
        answer = anonymous.get(page["_links"]["next"]["href"])
        assert 'rel="prev"' in answer.headers["Link"]
        page = answer.json()
        seen += [item["id"] for item in page["items"]]
    assert len(seen) == len(set(seen)) == 5
    assert page["_links"]["last"]["href"] == page["_links"]["self"]["href"]
    beyond = anonymous.get("/api/v1/products", params={"category": category, "per_page": 2, "page": 9}).json()
    assert (beyond["items"], beyond["total"], beyond["prev_page"]) == ([], 5, 3)


@pytest.mark.parametrize("sort", ["name", "-name", "price", "-price", "stock", "-stock", "created_at", "-created_at"])
def test_pages_by_cursor_show_every_product_once_while_others_are_added(make, anonymous, category, sort):
    first = {make(price=f"{n // 2 + 1}.00", stock=n // 2).json()["id"] for n in range(6)}
    params = {"category": category, "per_page": 2, "sort": sort, "cursor": "*"}
    page, seen = anonymous.get("/api/v1/products", params=params).json(), []
    for _ in range(20):
        seen += [item["id"] for item in page["items"]]
        make(price="2.00", stock=1)
        if "next" not in page["_links"]:
            break
        page = anonymous.get(page["_links"]["next"]["href"]).json()
    assert len(seen) == len(set(seen))
    assert first <= set(seen)


def test_cursor_that_was_not_made_here_is_400(make, anonymous, category):
    for _ in range(3):
        make()
    page = anonymous.get("/api/v1/products", params={"category": category, "per_page": 1, "cursor": "*"}).json()
    cursor = page["next_cursor"]
    for forged in (cursor[:-2], cursor[:30] + "A" + cursor[31:], "AAAA", "x" * 500):
        answer = anonymous.get("/api/v1/products", params={"category": category, "per_page": 1, "cursor": forged})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "cursor")
    other = anonymous.get("/api/v1/products", params={"per_page": 1, "cursor": cursor})
    assert other.status_code == 400


def test_fields_choose_the_members(make, anonymous, manager, category):
    where = make().headers["Location"]
    some = anonymous.get(where, params={"fields": ["sku", "price"]})
    assert some.json().keys() == {"id", "sku", "price"}
    page = anonymous.get("/api/v1/products", params={"category": category, "fields": "name"}).json()
    assert [item.keys() for item in page["items"]] == [{"id", "name"}]
    assert "fields=name" in page["_links"]["self"]["href"]
    assert manager.patch(where, json={"stock": 9}, headers={"If-Match": some.headers["ETag"]}).status_code == 200


def test_tags_are_counted_and_spelled_as_at_their_first_use(make, anonymous):
    name = f"Tag {uuid4()}"
    make(tags=[name])
    assert make(tags=[name.upper(), name.lower()]).json()["tags"] == [name]
    page = anonymous.get("/api/v1/tags", params={"per_page": 100}).json()
    assert [tag["products_count"] for tag in page["items"] if tag["name"] == name] == [2]
