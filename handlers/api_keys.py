from accord.identity import api_keys


def list_api_keys(session, caller, page, per_page):
    return api_keys.find(session, caller.id, page=page, per_page=per_page)


def create_api_key(session, caller, body):
    return api_keys.create(session, caller, **body)


def get_api_key(session, caller, api_key_id):
    return api_keys.get(session, caller.id, api_key_id)


def update_api_key(session, api_key_cache, caller, api_key_id, body):
    return api_keys.update(session, api_key_cache, caller.id, api_key_id, **body)


def rotate_api_key(session, api_key_cache, caller, api_key_id, body):
    return api_keys.rotate(session, api_key_cache, caller.id, api_key_id, **body)


def delete_api_key(session, api_key_cache, caller, api_key_id):
    api_keys.delete(session, api_key_cache, caller.id, api_key_id)
