"""The catalogue's categories, as its callers meet them."""

from uuid import uuid4


def test_category_is_created_changed_and_deleted(admin, anonymous):
    name = f"Books {uuid4()}"
    created = admin.post("/api/v1/categories", json={"name": name})
    where = created.headers["Location"]
    assert anonymous.get(where).json() == created.json()
    changed = admin.patch(where, json={"description": "To read."}, headers={"If-Match": created.headers["ETag"]})
    assert changed.json()["description"] == "To read."
    assert admin.put(where, json={"name": name}).json()["description"] is None
    assert admin.put(where, json={"name": name}, headers={"If-Match": created.headers["ETag"]}).status_code == 412
    assert admin.delete(where).status_code == 204
    assert anonymous.get(where).status_code == 404


def test_name_is_taken_in_any_case(admin):
    name = f"Äpfel {uuid4()}"
    assert admin.post("/api/v1/categories", json={"name": name}).status_code == 201
    answer = admin.post("/api/v1/categories", json={"name": name.upper()})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/name")


def test_category_with_products_stays(admin, anonymous):
    where = admin.post("/api/v1/categories", json={"name": f"Used {uuid4()}"}).headers["Location"]
    category = where.rpartition("/")[2]
    product = {"sku": uuid4().hex[:20].upper(), "name": "Pen", "price": "1.00", "category_id": category}
    admin.post("/api/v1/products", json=product)
    assert admin.delete(where).status_code == 409
    assert anonymous.get(where, params={"expand": "products_count"}).json()["products_count"] == 1
    assert "products_count" not in anonymous.get(where).json()


def test_empty_patch_is_refused(admin):
    where = admin.post("/api/v1/categories", json={"name": f"Kept {uuid4()}"}).headers["Location"]
    assert admin.patch(where, json={}, undeclared=True).status_code == 422
