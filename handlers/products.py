from services import products


def list_products(
    session,
    cursors,
    page,
    per_page,
    sort,
    cursor=None,
    fields=None,
    category=None,
    tag=None,
    min_price=None,
    max_price=None,
    in_stock=None,
    q=None,
):
    filters = {"category": category, "min_price": min_price, "max_price": max_price, "in_stock": in_stock}
    query = {"sort": sort, "page": page, "per_page": per_page, "cursor": cursor, "fields": fields, "tag": tag, "q": q}
    return products.find(session, cursors, **query, **filters)


def list_popular_products(session, page, per_page):
    return products.find_popular(session, page=page, per_page=per_page)


def create_product(session, body):
    return products.create(session, **body)


def get_product(session, product_id):
    return products.get(session, product_id)


def replace_product(session, product_id, body):
    return products.replace(session, product_id, **body)


def update_product(session, product_id, body):
    return products.update(session, product_id, **body)


def delete_product(session, product_id):
    products.delete(session, product_id)


def restore_product(session, product_id):
    return products.restore(session, product_id)


def create_products(session, body):
    return products.bulk_create(session, body)


def delete_products(session, id):  # noqa: A002  # The parameter has this name.
    products.bulk_delete(session, id)
