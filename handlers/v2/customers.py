"""Customers of version 2. Operations that equal those of version 1 are in `handlers.customers`."""

from services import customers


def list_customers(session, cursors, page, per_page, sort, cursor=None, location=None, q=None):
    query = {"sort": sort, "page": page, "per_page": per_page, "cursor": cursor, "location": location, "q": q}
    result = customers.find(session, cursors, **query)
    return result | {"items": [_to_version_2(customer) for customer in result["items"]]}


def create_customer(session, file_storage, body):
    return _to_version_2(customers.create(session, file_storage, **body))


def get_customer(session, customer_id):
    return _to_version_2(customers.get(session, customer_id))


def replace_customer(session, customer_id, body):
    return _to_version_2(customers.update(session, customer_id, **body))


def update_customer(session, customer_id, body):
    return _to_version_2(customers.update(session, customer_id, **body))


def restore_customer(session, customer_id):
    return _to_version_2(customers.restore(session, customer_id))


def _to_version_2(customer):
    photo = customer["photo"]
    if photo is None:
        return customer
    return customer | {"photo": photo | {"url": f"/api/v2/customers/{customer['id']}/photo"}}
