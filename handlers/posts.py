from services import posts


def list_posts(session, cursors, caller, page, per_page, cursor=None, published=None, author=None, q=None):
    query = {"page": page, "per_page": per_page, "cursor": cursor, "published": published, "author": author, "q": q}
    return posts.find(session, cursors, caller, **query)


def list_user_posts(session, cursors, caller, user_id, page, per_page, cursor=None, published=None, q=None):
    query = {"page": page, "per_page": per_page, "cursor": cursor, "published": published, "q": q}
    return posts.find_of_user(session, cursors, caller, user_id, **query)


def create_post(session, caller, body):
    return posts.create(session, caller.id, **body)


def get_post(session, caller, post_id):
    return posts.get(session, caller, post_id)


def replace_post(session, caller, post_id, body):
    return posts.update(session, caller, post_id, **body)


def update_post(session, caller, post_id, body):
    return posts.update(session, caller, post_id, **body)


def delete_post(session, caller, post_id):
    posts.delete(session, caller, post_id)


def restore_post(session, post_id):
    return posts.restore(session, post_id)
