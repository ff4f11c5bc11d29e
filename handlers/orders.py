from accord.identity import users
from accord.identity.callers import visible_owner
from services import orders

_ALL_ORDERS, _CUSTOMERS = "orders:all", "customers"


def list_orders(session, cursors, caller, cursor, per_page, status=None, from_=None, to=None):
    filters = {"status": status, "from": from_, "to": to}
    return orders.find(
        session, cursors, visible_owner(caller, _ALL_ORDERS), cursor=cursor, per_page=per_page, **filters
    )


def create_order(session, caller, body):
    return orders.place(session, caller.id, may_reference_customers=_CUSTOMERS in caller.scopes, **body)


def list_user_orders(session, cursors, caller, user_id, cursor, per_page, status=None, from_=None, to=None):
    filters = {"status": status, "from": from_, "to": to}
    users.get(session, visible_owner(caller, _ALL_ORDERS), user_id)
    return orders.find(session, cursors, user_id, cursor=cursor, per_page=per_page, **filters)


def create_user_order(session, caller, user_id, body):
    users.get(session, visible_owner(caller, _ALL_ORDERS), user_id)
    return orders.place(session, user_id, may_reference_customers=_CUSTOMERS in caller.scopes, **body)


def get_order(session, caller, order_id):
    return orders.get(session, visible_owner(caller, _ALL_ORDERS), order_id)


def update_order(session, caller, order_id, body):
    owner = visible_owner(caller, _ALL_ORDERS)
    return orders.update(session, owner, order_id, may_reference_customers=_CUSTOMERS in caller.scopes, **body)


def set_order_status(session, caller, order_id, body):
    return orders.set_status(session, visible_owner(caller, _ALL_ORDERS), order_id, **body)


def cancel_order(session, caller, order_id):
    return orders.cancel(session, visible_owner(caller, _ALL_ORDERS), order_id)
