"""Customers of version 1, in which the location is named `city` and the photo is a URL."""

from services import customer_photos, customers


def list_customers(session, cursors, page, per_page, sort, cursor=None, city=None, q=None):
    query = {"sort": sort, "page": page, "per_page": per_page, "cursor": cursor, "location": city, "q": q}
    result = customers.find(session, cursors, **query)
    items = [_to_version_1(customer) for customer in result["items"]]
    return _rename(result, "location", "city") | {"items": items}


def create_customer(session, file_storage, body):
    return _to_version_1(customers.create(session, file_storage, **_from_version_1(body)))


def get_customer(session, customer_id):
    return _to_version_1(customers.get(session, customer_id))


def replace_customer(session, customer_id, body):
    return _to_version_1(customers.update(session, customer_id, **_from_version_1(body)))


def update_customer(session, customer_id, body):
    return _to_version_1(customers.update(session, customer_id, **_from_version_1(body)))


def delete_customer(session, customer_id):
    customers.delete(session, customer_id)


def restore_customer(session, customer_id):
    return _to_version_1(customers.restore(session, customer_id))


def get_customer_photo(session, file_storage, customer_id):
    return customer_photos.download(session, file_storage, customer_id)


def replace_customer_photo(session, file_storage, customer_id, body):
    customer_photos.replace(session, file_storage, customer_id, **body)


def delete_customer_photo(session, file_storage, customer_id):
    customer_photos.delete(session, file_storage, customer_id)


def _to_version_1(customer):
    photo_url = f"/api/v1/customers/{customer['id']}/photo" if customer["photo"] else None
    return _rename(customer, "location", "city") | {"photo_url": photo_url}


def _from_version_1(body):
    return _rename(body, "city", "location")


def _rename(members, old, new):
    return {new if name == old else name: value for name, value in members.items()}
