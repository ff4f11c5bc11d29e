from accord.identity import users
from accord.identity.callers import visible_owner


def list_users(
    session,
    page,
    per_page,
    sort,
    username=None,
    email=None,
    name=None,
    role=None,
    is_active=None,
    min_age=None,
    max_age=None,
):
    filters = {"username": username, "email": email, "name": name, "role": role, "is_active": is_active}
    filters |= {"min_age": min_age, "max_age": max_age}
    return users.find(session, page=page, per_page=per_page, sort=sort, **filters)


def create_user(session, password_hasher, body):
    return users.create(session, password_hasher, **body)


def get_user(session, caller, user_id):
    return users.get(session, visible_owner(caller, "users"), user_id)


def replace_user(session, password_hasher, revocation_list, caller, user_id, body):
    return users.update(session, password_hasher, revocation_list, caller.id, user_id, **body)


def update_user(session, password_hasher, revocation_list, caller, user_id, body):
    return users.update(session, password_hasher, revocation_list, caller.id, user_id, **body)


def delete_user(session, revocation_list, caller, user_id):
    users.delete(session, revocation_list, caller.id, user_id)


def restore_user(session, user_id):
    return users.restore(session, user_id)


def create_users(session, password_hasher, body):
    return users.bulk_create(session, password_hasher, body)


def delete_users(session, revocation_list, caller, id):  # noqa: A002  # The parameter has this name.
    users.bulk_delete(session, revocation_list, caller.id, id)
