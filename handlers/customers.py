"""Customers of version 1, which calls the location `city`, and has a URL for the photo."""

from services import customer_photos, customers


def list_customers(session, cursors, page, per_page, sort, cursor=None, city=None, q=None):
    asked = {"sort": sort, "page": page, "per_page": per_page, "cursor": cursor, "location": city, "q": q}
    found = customers.find(session, cursors, **asked)
    return _renamed(found, "location", "city") | {"items": [_shown(customer) for customer in found["items"]]}


def create_customer(session, file_storage, body):
    return _shown(customers.create(session, file_storage, **_meant(body)))


def get_customer(session, customer_id):
    return _shown(customers.get(session, customer_id))


def replace_customer(session, customer_id, body):
    return _shown(customers.update(session, customer_id, **_meant(body)))


def update_customer(session, customer_id, body):
    return _shown(customers.update(session, customer_id, **_meant(body)))


def delete_customer(session, customer_id):
    customers.delete(session, customer_id)


def restore_customer(session, customer_id):
    return _shown(customers.restore(session, customer_id))


def get_customer_photo(session, file_storage, customer_id):
    return customer_photos.download(session, file_storage, customer_id)


def replace_customer_photo(session, file_storage, customer_id, body):
    customer_photos.replace(session, file_storage, customer_id, **body)


def delete_customer_photo(session, file_storage, customer_id):
    customer_photos.delete(session, file_storage, customer_id)


def _shown(customer):
    photo_url = f"/api/v1/customers/{customer['id']}/photo" if customer["photo"] else None
    return _renamed(customer, "location", "city") | {"photo_url": photo_url}


def _meant(body):
    return _renamed(body, "city", "location")


def _renamed(members, old, new):
    return {new if name == old else name: value for name, value in members.items()}
