from services import tags


def list_tags(session, page, per_page):
    return tags.find(session, page=page, per_page=per_page)
