"""Customers of version 2. Operations that equal those of version 1 are in `handlers.customers`."""

from services import customers


def list_customers(session, cursors, page, per_page, sort, cursor=None, location=None, q=None):
    asked = {"sort": sort, "page": page, "per_page": per_page, "cursor": cursor, "location": location, "q": q}
    found = customers.find(session, cursors, **asked)
    return found | {"items": [_shown(customer) for customer in found["items"]]}


def create_customer(session, file_storage, body):
    return _shown(customers.create(session, file_storage, **body))


def get_customer(session, customer_id):
    return _shown(customers.get(session, customer_id))


def replace_customer(session, customer_id, body):
    return _shown(customers.update(session, customer_id, **body))


def update_customer(session, customer_id, body):
    return _shown(customers.update(session, customer_id, **body))


def restore_customer(session, customer_id):
    return _shown(customers.restore(session, customer_id))


def _shown(customer):
    photo = customer["photo"]
    return customer | {"photo": photo and photo | {"url": f"/api/v2/customers/{customer['id']}/photo"}}
