"""Many products at once: as JSON or CSV, all of them or none."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples

PRODUCTS = "/api/v1/products"
BATCH = "/api/v1/products/batch"
CSV = {"Content-Type": "text/csv"}


def sku():
    return f"B-{uuid4().hex[:20].upper()}"


@pytest.fixture
def category(admin):
    return admin.post("/api/v1/categories", json={"name": f"Category {uuid4()}"}).json()["id"]


@pytest.fixture
def new(category):
    """A new product."""

    def new(**members):
        return {"sku": sku(), "name": "Pencil", "price": "12.50", "category_id": category} | members

    return new


def errors(answer):
    return {(error["pointer"], error["code"]) for error in answer.json()["errors"]}


def count(client, category):
    return client.get(PRODUCTS, params={"category": category}).json()["total"]


def test_batch_is_created_in_its_order_with_all_that_belongs_to_it(admin, anonymous, new):
    tag = f"Tag {uuid4()}"
    batch = [new(name="One", tags=[tag, "Wood"], stock=4), new(description="Two."), new(tags=[tag.upper()])]
    created = admin.post(BATCH, json=batch)
    assert created.status_code == 201
    items = created.json()["items"]
    assert [item["sku"] for item in items] == [product["sku"] for product in batch]
    assert [item["tags"] for item in items] == [[tag, "Wood"], [], [tag]]
    assert [(item["stock"], item["description"]) for item in items] == [(4, None), (0, "Two."), (0, None)]
    for item in items:
        assert anonymous.get(item["_links"]["self"]["href"]).json() == item


def test_hundred_products_are_a_batch_and_one_more_is_not(admin, new, category):
    assert admin.post(BATCH, json=[new() for _ in range(101)], undeclared=True).status_code == 422
    assert admin.post(BATCH, json=[], undeclared=True).status_code == 422
    assert admin.post(BATCH, json=[new(tags=[f"T{n % 7}"]) for n in range(100)]).status_code == 201
    assert count(admin, category) == 100


def test_every_fault_is_told_with_its_index_and_nothing_is_created(admin, new, category):
    there, nowhere = admin.post(PRODUCTS, json=new()).json()["sku"], str(uuid4())
    batch = [new(), new(sku=there), new(sku="TWICE-" + there[:9]), new(sku="TWICE-" + there[:9])]
    refused = admin.post(BATCH, json=batch)
    assert (refused.status_code, errors(refused)) == (409, {("/1/sku", "conflict"), ("/3/sku", "conflict")})
    refused = admin.post(BATCH, json=[*batch, new(category_id=nowhere), new(sku=there, category_id=nowhere)])
    assert (refused.status_code, errors(refused)) == (
        422,
        {("/1/sku", "conflict"), ("/3/sku", "conflict"), ("/5/sku", "conflict"),
         ("/4/category_id", "invalid"), ("/5/category_id", "invalid")},
    )  # fmt: skip
    assert count(admin, category) == 1


def test_repeat_with_key_creates_once(admin, new, category):
    batch, key = [new(), new()], {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: admin.post(BATCH, json=batch, headers=key), range(4)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 3
    assert count(admin, category) == 2


def test_of_batches_that_share_an_sku_one_happens(admin, new, category):
    shared = sku()
    with ThreadPoolExecutor(4) as threads:
        batches = [[new(), new(sku=shared), new()] for _ in range(4)]
        statuses = threads.map(lambda batch: admin.post(BATCH, json=batch).status_code, batches)
        assert sorted(statuses) == [201, 409, 409, 409]
    assert count(admin, category) == 3


def test_batches_that_use_a_new_tag_at_once_share_it(admin, new):
    for _ in range(5):
        tags = [f"Tag {uuid4()}" for _ in range(3)]
        with ThreadPoolExecutor(4) as threads:
            batches = [[new(tags=tags), new(tags=tags[::-1])] for _ in range(4)]
            assert [answer.status_code for answer in threads.map(lambda b: admin.post(BATCH, json=b), batches)] == [
                201
            ] * 4


def test_batch_is_deleted_whole_or_not_at_all(admin, anonymous, new, category):
    items = admin.post(BATCH, json=[new() for _ in range(3)]).json()["items"]
    ids, nobody = [item["id"] for item in items], str(uuid4())
    refused = admin.delete(BATCH, params={"id": [*ids, nobody]})
    assert (refused.status_code, [error["detail"] for error in refused.json()["errors"]]) == (
        404,
        [f"There is no product with the id {nobody}."],
    )
    assert count(anonymous, category) == 3
    assert admin.delete(BATCH, params={"id": ids[:2]}).status_code == 204
    assert count(anonymous, category) == 1
    assert admin.delete(BATCH, params={"id": ids}).status_code == 404
    assert admin.post(f"{PRODUCTS}/{ids[0]}/restoration").status_code == 200
    assert admin.delete(BATCH, params={"id": ids[:1] * 2}).status_code == 400


def test_deleting_in_a_batch_ends_the_version_that_was_read(admin, new):
    created = admin.post(PRODUCTS, json=new())
    where, product = created.headers["Location"], created.json()
    admin.delete(BATCH, params={"id": product["id"]})
    restored = admin.post(f"{where}/restoration")
    assert restored.headers["ETag"] != created.headers["ETag"]


def test_only_who_writes_the_catalogue_writes_batches(manager, customer, new):
    for client in (manager, customer):
        assert client.post(BATCH, json=[new()]).status_code == 403
        assert client.delete(BATCH, params={"id": str(uuid4())}).status_code == 403


def test_csv_is_taken_as_json_is(admin, new, category):
    first, second = sku(), sku()
    text = (
        "sku,name,description,price,stock,category_id,tags\r\n"
        f'{first},"Pencil, yellow",,12.50,3,{category},Wood|School\r\n'
        f'{second},\'=1+1,"He said ""hi"".",1.00,,{category},\r\n'
    )
    created = admin.post(BATCH, content=text.encode("utf-8-sig"), headers=CSV)
    assert created.status_code == 201
    one, two = created.json()["items"]
    assert (one["sku"], one["name"], one["description"], one["stock"]) == (first, "Pencil, yellow", None, 3)
    assert (one["tags"], one["category"]["id"]) == (["Wood", "School"], category)
    assert (two["name"], two["description"], two["stock"], two["tags"]) == ("=1+1", 'He said "hi".', 0, [])


def test_csv_is_refused_with_row_and_column(admin, category):
    text = f"sku,name,price,category_id\r\nx,,0.00,{category}\r\n{sku()},Pen,1.00,first\r\n"
    refused = admin.post(BATCH, content=text, headers=CSV)
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {
        "/0/sku", "/0/name", "/0/price", "/1/category_id",
    }  # fmt: skip


def test_what_is_exported_can_be_imported_again(admin, anonymous, new, category):
    texts = ["=SUM(A1)", "'=quoted", "plain", "'", 'a "b", c', "line\r\nbreak", "-5", "null"]
    admin.post(BATCH, json=[new(name=text, description=text, tags=["a|b", f"\\{n}"]) for n, text in enumerate(texts)])
    admin.post(BATCH, json=[new(description=None), new(description="", tags=["=x", "y"])])
    asked = {"category": category, "sort": "created_at", "per_page": 100}
    before = anonymous.get(PRODUCTS, params=asked).json()["items"]
    exported = anonymous.get(PRODUCTS, params=asked, headers={"Accept": "text/csv"})
    assert exported.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"

    admin.delete(BATCH, params={"id": [item["id"] for item in before]})
    columns = {"sku": "sku", "name": "name", "description": "description", "price": "price", "stock": "stock",
               "category.id": "category_id", "tags": "tags"}  # fmt: skip
    rows = csv.DictReader(io.StringIO(exported.text, newline=""), strict=True)
    again = io.StringIO(newline="")
    writer = csv.writer(again)
    writer.writerows([columns.values(), *([row[column] for column in columns] for row in rows)])
    imported = admin.post(BATCH, content=again.getvalue().encode(), headers=CSV)
    assert imported.status_code == 201, imported.text
    own = ["sku", "name", "description", "price", "stock", "category", "tags"]
    assert [[item[name] for name in own] for item in imported.json()["items"]] == [
        [item[name] for name in own] for item in before
    ]


def test_list_is_xml_with_the_members_of_json(anonymous, admin, new, category):
    admin.post(BATCH, json=[new(tags=["a", "b"]), new(description="<b>&amp;</b>")])
    answer = anonymous.get(PRODUCTS, params={"category": category}, headers={"Accept": "application/xml"})
    assert answer.headers["Content-Type"] == "application/xml"
    assert "<tags><tag>a</tag><tag>b</tag></tags>" in answer.text
    assert "<description>&lt;b&gt;&amp;amp;&lt;/b&gt;</description>" in answer.text
    assert '<description xsi:nil="true" />' in answer.text


def test_pages_of_csv_lead_to_one_another(anonymous, admin, new, category):
    wanted = [item["sku"] for item in admin.post(BATCH, json=[new() for _ in range(5)]).json()["items"]]
    asked, seen = {"Accept": "text/csv"}, []
    params = {"category": category, "per_page": 2, "sort": "created_at", "fields": "sku"}
    page = anonymous.get(PRODUCTS, params=params, headers=asked)
    while True:
        header, *rows = csv.reader(io.StringIO(page.text, newline=""))
        assert header == ["id", "sku"]
        seen += [row[1] for row in rows]
        if "next" not in page.links:
            break
        page = anonymous.get(page.links["next"]["url"], headers=asked)
    assert sorted(seen) == sorted(wanted)


def test_price_is_changed_with_the_tag_of_any_representation(admin, manager, new):
    where = admin.post(PRODUCTS, json=new()).headers["Location"]
    tag = manager.get(where, headers={"Accept": "application/xml"}).headers["ETag"]
    assert manager.patch(where, json={"stock": 1}, headers={"If-Match": tag}).status_code == 200
    assert manager.patch(where, json={"stock": 2}, headers={"If-Match": tag}).status_code == 412


@given(
    kinds=st.lists(st.sampled_from(["fine", "taken", "twin", "homeless", "taken and homeless"]), min_size=1, max_size=8)
)
@settings(
    max_examples=examples(10), deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_batch_happens_whole_or_is_refused_at_exactly_its_errors(admin, new, category, kinds):
    taken, twin, nowhere = admin.post(PRODUCTS, json=new()).json()["sku"], sku(), str(uuid4())
    made = {
        "fine": {},
        "taken": {"sku": taken},
        "twin": {"sku": twin},
        "homeless": {"category_id": nowhere},
        "taken and homeless": {"sku": taken, "category_id": nowhere},
    }
    before = count(admin, category)
    answer = admin.post(BATCH, json=[new(**made[kind]) for kind in kinds])
    first_twin = kinds.index("twin") if "twin" in kinds else None
    wrong = {(f"/{n}/sku", "conflict") for n, kind in enumerate(kinds)
             if "taken" in kind or (kind == "twin" and n != first_twin)}  # fmt: skip
    homeless = {(f"/{n}/category_id", "invalid") for n, kind in enumerate(kinds) if "homeless" in kind}
    assert answer.status_code == (422 if homeless else 409 if wrong else 201)
    if wrong or homeless:
        assert errors(answer) == wrong | homeless
    assert count(admin, category) == before + (0 if wrong or homeless else len(kinds))
