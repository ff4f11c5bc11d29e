from services import categories


def list_categories(session, page, per_page, expand=None):
    return categories.find(session, page=page, per_page=per_page, expand=expand)


def create_category(session, body):
    return categories.create(session, **body)


def get_category(session, category_id, expand=None):
    return categories.get(session, category_id, expand=expand)


def replace_category(session, category_id, body):
    return categories.update(session, category_id, **body)


def update_category(session, category_id, body):
    return categories.update(session, category_id, **body)


def delete_category(session, category_id):
    categories.delete(session, category_id)
