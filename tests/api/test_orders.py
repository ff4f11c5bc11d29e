"""Orders, as those who place them and those who work on them meet them."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import uuid4

import httpx
import pytest

from services.demo_data import LOGINS
from tests.support.server import Server

ORDERS = "/api/v1/orders"
STATUSES = ("pending", "paid", "shipped", "delivered", "cancelled")
WAYS = {"pending": [], "paid": ["paid"], "shipped": ["paid", "shipped"], "delivered": ["paid", "shipped", "delivered"],
        "cancelled": ["cancelled"]}  # fmt: skip
FOLLOWING = {("pending", "paid"), ("pending", "cancelled"), ("paid", "shipped"), ("paid", "cancelled"),
             ("shipped", "delivered")}  # fmt: skip


def new_key():
    return {"Idempotency-Key": str(uuid4())}


def if_match(answer):
    return {"If-Match": answer.headers["ETag"]}


def basket(*items):
    return {"items": [{"product_id": product["id"], "quantity": quantity} for product, quantity in items]}


def placed(client, *items, path=ORDERS, **members):
    answer = client.post(path, json=basket(*items) | members, headers=new_key())
    assert answer.status_code == 201, answer.text
    return answer


def at_once(count, function):
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda _: function(), range(count)))


def statuses(answers):
    return sorted(answer.status_code for answer in answers)


def errors(answer):
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


@pytest.fixture
def make(admin):
    category = admin.post("/api/v1/categories", json={"name": f"Category {uuid4()}"}).json()["id"]

    def make(stock=10, price="50.00", name="Amul Butter"):
        body = {"sku": f"O-{uuid4().hex[:20].upper()}", "name": name, "price": price, "category_id": category}
        return admin.post("/api/v1/products", json=body | {"stock": stock}).json()

    return make


@pytest.fixture
def stock(anonymous):
    return lambda product: anonymous.get(f"/api/v1/products/{product['id']}").json()["stock"]


def user_of(client):
    return client.get("/api/v1/auth/me").json()


def orders_of(client):
    return f"/api/v1/users/{user_of(client)['id']}/orders"


def test_order_says_what_was_ordered_and_at_which_price(customer, admin, make, stock):
    butter, tea = make(name="Amul Butter", price="50.00"), make(name="Tata Tea", price="200.00")
    created = placed(customer, (butter, 2), (tea, 1), note="Please ring twice.")
    admin.patch(f"/api/v1/products/{butter['id']}", json={"price": "60.00"})
    order = customer.get(created.headers["Location"])
    assert (order.content, order.headers["ETag"]) == (created.content, created.headers["ETag"])
    assert [(item["product"]["name"], item["quantity"], item["unit_price"], item["amount"])
            for item in order.json()["items"]] == [
        ("Amul Butter", 2, "50.00", "100.00"), ("Tata Tea", 1, "200.00", "200.00"),
    ]  # fmt: skip
    assert (order.json()["total"], order.json()["status"]) == ("300.00", "pending")
    assert order.json()["owner"]["username"] == LOGINS["customer"][0]
    assert (stock(butter), stock(tea)) == (8, 9)


@pytest.mark.parametrize(
    ("price", "quantities", "total"),
    [
        ("0.10", [3], "0.30"),
        ("0.01", [1, 1000], "10.01"),
        ("32999.00", [1000], "32999000.00"),
        ("9999999999.99", [1000] * 100, "999999999999000.00"),
    ],
)
def test_sums_are_exact(customer, make, price, quantities, total):
    product = make(stock=100_000, price=price)
    order = placed(customer, *((product, quantity) for quantity in quantities)).json()
    assert order["total"] == total
    assert sum(Decimal(item["amount"]) for item in order["items"]) == Decimal(total)


def test_numbers_of_a_year_have_no_gaps(customer, make):
    product = make(stock=8)
    answers = at_once(12, lambda: customer.post(ORDERS, json=basket((product, 1)), headers=new_key()))
    numbers = sorted(answer.json()["number"] for answer in answers if answer.status_code == 201)
    year, first = numbers[0].split("-")
    assert numbers == [f"{year}-{int(first) + n:06}" for n in range(8)]
    assert year == str(datetime.fromisoformat(placed(customer, (make(), 1)).json()["created_at"]).year)


def test_last_unit_wanted_by_twenty_becomes_one_order(customer, make, stock):
    last = make(stock=1, name="Mi LED TV")
    answers = at_once(20, lambda: customer.post(ORDERS, json=basket((last, 1)), headers=new_key()))
    assert statuses(answers) == [201] + [409] * 19
    assert {answer.json()["detail"] for answer in answers if answer.status_code == 409} == {"Mi LED TV is sold out."}
    assert stock(last) == 0


def test_orders_of_the_same_products_in_any_order_do_not_block_each_other(customer, make, stock):
    products = [make(stock=100) for _ in range(6)]

    def order(n):
        turned = products[n:] + products[:n]
        return customer.post(ORDERS, json=basket(*((product, 1) for product in turned)), headers=new_key())

    with ThreadPoolExecutor(6) as threads:
        assert statuses(threads.map(order, [*range(6)] * 4)) == [201] * 24
    assert [stock(product) for product in products] == [76] * 6


def test_what_is_short_is_named_all_at_once_and_nothing_is_taken(customer, make, stock):
    butter, tea, salt = make(stock=3), make(stock=1, name="Tata Tea"), make(stock=0, name="Tata Salt")
    plenty = make(stock=50)
    answer = customer.post(ORDERS, json=basket((plenty, 5), (butter, 4), (tea, 2), (salt, 1)), headers=new_key())
    assert answer.status_code == 409
    assert errors(answer) == {
        "/items/1/quantity": "Only 3 of Amul Butter are left.",
        "/items/2/quantity": "Only 1 of Tata Tea is left.",
        "/items/3/quantity": "Tata Salt is sold out.",
    }
    assert [stock(product) for product in (plenty, butter, tea)] == [50, 3, 1]


def test_items_of_one_product_count_together(customer, make, stock):
    butter = make(stock=5)
    answer = customer.post(ORDERS, json=basket((butter, 3), (butter, 3)), headers=new_key())
    assert (answer.status_code, answer.json()["detail"]) == (409, "Only 5 of Amul Butter are left.")
    assert errors(answer).keys() == {"/items/0/quantity", "/items/1/quantity"}
    assert [item["quantity"] for item in placed(customer, (butter, 3), (butter, 2)).json()["items"]] == [3, 2]
    assert stock(butter) == 0


def test_unknown_and_deleted_products_are_422_with_all_that_is_wrong(customer, admin, make):
    deleted, short = make(), make(stock=1)
    admin.delete(f"/api/v1/products/{deleted['id']}")
    body = basket((make(), 1), ({"id": str(uuid4())}, 1), (deleted, 1), (short, 2)) | {"customer_id": str(uuid4())}
    answer = customer.post(ORDERS, json=body, headers=new_key())
    assert answer.status_code == 422
    assert errors(answer) == {
        "/customer_id": "There is no customer with this id.",
        "/items/1/product_id": "There is no product with this id.",
        "/items/2/product_id": "There is no product with this id.",
        "/items/3/quantity": "Only 1 of Amul Butter is left.",
    }


def test_only_whom_customers_are_open_to_orders_for_one(customer, manager, make):
    vinod = manager.get("/api/v2/customers", params={"q": "vinod"}).json()["items"][0]["id"]
    answers = [
        asking.post(ORDERS, json=basket((make(), 1)) | {"customer_id": vinod}, headers=new_key())
        for asking in (customer, manager)
    ]
    assert [answer.status_code for answer in answers] == [422, 201]
    assert errors(answers[0]) == {"/customer_id": "There is no customer with this id."}
    own = placed(customer, (make(), 1))
    change = partial(customer.patch, own.headers["Location"], headers=if_match(own))
    assert errors(change(json={"customer_id": vinod})) == {"/customer_id": "There is no customer with this id."}


def test_order_without_items_or_key_is_refused(customer, make):
    assert customer.post(ORDERS, json={"items": []}, headers=new_key(), undeclared=True).status_code == 422
    answer = customer.post(ORDERS, json=basket((make(), 1)), undeclared=True)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Idempotency-Key")


def test_key_sent_eight_times_at_once_makes_one_order(customer, make, stock):
    butter, key = make(), new_key()
    answers = at_once(8, lambda: customer.post(ORDERS, json=basket((butter, 1)), headers=key))
    assert statuses(answers) == [201] * 8
    assert len({(answer.content, answer.headers["ETag"], answer.headers["Location"]) for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7
    assert stock(butter) == 9
    assert customer.post(ORDERS, json=basket((butter, 2)), headers=key).status_code == 422


def test_key_makes_one_order_though_the_server_is_killed_meanwhile(database_url, tmp_path):
    server = Server(database_url, tmp_path)
    login = dict(zip(("username", "password"), LOGINS["customer"], strict=True))
    token = httpx.post(f"{server.base}/api/v1/auth/login", json=login).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    product = httpx.get(f"{server.base}/api/v1/products", params={"q": "parle"}).json()["items"][0]
    keys = [new_key() for _ in range(12)]

    def order(number):
        body = basket((product, 1)) | {"note": f"Order {number}"}
        try:
            return httpx.post(f"{server.base}{ORDERS}", json=body, headers=headers | keys[number])
        except httpx.TransportError:
            return None

    with ThreadPoolExecutor(12) as threads:
        first = [threads.submit(order, number) for number in range(12)]
        while not any(answer.done() for answer in first):
            time.sleep(0.001)
        server.process.kill()
        server.process.wait()
    server.start()
    again = [order(number) for number in range(12)]
    assert statuses(again) == [201] * 12
    for before, after in zip((answer.result() for answer in first), again, strict=True):
        assert before is None or (before.content, after.headers["Idempotency-Replayed"]) == (after.content, "true")
    listed = httpx.get(f"{server.base}{ORDERS}", params={"per_page": 100}, headers=headers).json()["items"]
    assert sorted(order["note"] for order in listed if "Order" in str(order["note"])) == sorted(
        f"Order {number}" for number in range(12)
    )
    left = httpx.get(f"{server.base}/api/v1/products/{product['id']}").json()["stock"]
    assert left == product["stock"] - 12
    server.stop()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("before", STATUSES)
def test_status_follows_only_where_it_can(customer, manager, make, before, status):
    where = placed(customer, (make(), 1)).headers["Location"]
    for step in WAYS[before]:
        manager.put(f"{where}/status", json={"status": step}, headers=if_match(manager.get(where)))
    answer = manager.put(f"{where}/status", json={"status": status}, headers=if_match(manager.get(where)))
    now = manager.get(where)
    if (before, status) in FOLLOWING:
        assert (answer.status_code, answer.content) == (200, now.content)
        assert (answer.headers["ETag"], now.json()["status"]) == (now.headers["ETag"], status)
    else:
        assert answer.status_code == 409
        assert answer.json()["detail"] == f"An order with status {before} cannot change to {status}."
        assert now.json()["status"] == before


@pytest.mark.parametrize("before", STATUSES)
def test_owner_cancels_what_is_not_on_its_way(customer, manager, make, stock, before):
    butter = make(stock=10)
    where = placed(customer, (butter, 3), (butter, 1)).headers["Location"]
    for step in WAYS[before]:
        manager.put(f"{where}/status", json={"status": step}, headers=if_match(manager.get(where)))
    taken = 0 if before == "cancelled" else 4
    assert stock(butter) == 10 - taken
    answer = customer.post(f"{where}/cancellation", headers=if_match(customer.get(where)))
    assert answer.status_code == (200 if before in ("pending", "paid") else 409)
    assert stock(butter) == (10 if before in ("pending", "paid", "cancelled") else 6)


def test_change_says_which_version_it_means(customer, manager, make):
    created = placed(customer, (make(), 1))
    where, old = created.headers["Location"], if_match(created)
    for change in (
        partial(customer.patch, where, json={"note": "New"}),
        partial(customer.post, f"{where}/cancellation"),
        partial(manager.put, f"{where}/status", json={"status": "paid"}),
    ):
        assert change(undeclared=True).status_code == 428
    changed = customer.patch(where, json={"note": "Leave it at the door."}, headers=old)
    assert (changed.status_code, changed.json()["note"]) == (200, "Leave it at the door.")
    assert customer.patch(where, json={"note": "No"}, headers=old).status_code == 412
    assert customer.post(f"{where}/cancellation", headers=old).status_code == 412
    assert manager.put(f"{where}/status", json={"status": "paid"}, headers=old).status_code == 412
    assert customer.post(f"{where}/cancellation", headers=if_match(changed)).status_code == 200


def test_two_cancellations_at_once_give_back_once(customer, make, stock):
    for _ in range(5):
        butter = make(stock=10)
        created = placed(customer, (butter, 4))
        cancel = partial(customer.post, f"{created.headers['Location']}/cancellation", headers=if_match(created))
        assert statuses(at_once(4, cancel)) == [200, 412, 412, 412]
        assert stock(butter) == 10


def test_cancelling_and_shipping_at_once_does_one_of_them(customer, manager, make, stock):
    for _ in range(5):
        butter = make(stock=10)
        where = placed(customer, (butter, 4)).headers["Location"]
        paid = manager.put(f"{where}/status", json={"status": "paid"}, headers=if_match(manager.get(where)))
        with ThreadPoolExecutor(2) as threads:
            cancelling = threads.submit(customer.post, f"{where}/cancellation", headers=if_match(customer.get(where)))
            ship = partial(manager.put, f"{where}/status", json={"status": "shipped"}, headers=if_match(paid))
            answers = [threads.submit(ship).result(), cancelling.result()]
        assert statuses(answers) == [200, 412]
        assert stock(butter) == (10 if customer.get(where).json()["status"] == "cancelled" else 6)


def test_what_an_order_does_is_in_the_audit_trail(customer, manager, admin, make):
    butter = make(stock=10)
    where = placed(customer, (butter, 3), note="Please ring twice.").headers["Location"]
    manager.put(f"{where}/status", json={"status": "paid"}, headers=if_match(manager.get(where)))
    cancelled = customer.post(f"{where}/cancellation", headers=if_match(customer.get(where))).json()

    def told(thing):
        events = admin.get("/api/v1/audit-events", params={"object_id": thing["id"]}).json()["items"]
        return [(event["action"], event["changes"]) for event in events]

    cancelling, paying, (action, placing) = told(cancelled)
    assert cancelling == ("cancel_order", {"status": {"from": "paid", "to": "cancelled"}})
    assert paying == ("set_order_status", {"status": {"from": "pending", "to": "paid"}})
    assert (action, placing["total"], placing["items"]) == (
        "create_order", {"from": None, "to": "150.00"}, {"from": None, "to": [f"3 of {butter['sku']}"]}
    )  # fmt: skip
    assert told(butter)[:2] == [
        ("cancel_order", {"stock": {"from": 7, "to": 10}}),
        ("create_order", {"stock": {"from": 10, "to": 7}}),
    ]


def test_orders_of_one_product_are_all_cancelled_at_once(customer, make, stock):
    butter = make(stock=30)
    orders = [placed(customer, (butter, 1)) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        answers = threads.map(
            lambda order: customer.post(f"{order.headers['Location']}/cancellation", headers=if_match(order)), orders
        )
        assert statuses(answers) == [200] * 20
    assert stock(butter) == 30


def test_stock_of_a_deleted_product_comes_back_with_it(customer, admin, make, stock):
    butter = make(stock=10)
    created = placed(customer, (butter, 4))
    admin.delete(f"/api/v1/products/{butter['id']}")
    where = created.headers["Location"]
    assert customer.get(where).json() == created.json()
    assert customer.post(f"{where}/cancellation", headers=if_match(created)).status_code == 200
    admin.post(f"/api/v1/products/{butter['id']}/restoration")
    assert stock(butter) == 10


def test_orders_of_others_are_not_there(customer, stranger, make):
    owns, theirs = placed(customer, (make(), 1)), placed(stranger, (make(), 1))
    where, tag = owns.headers["Location"], if_match(owns)
    nested = orders_of(customer)
    for answer in (
        stranger.get(where),
        stranger.patch(where, json={"note": "Mine"}, headers=tag),
        stranger.post(f"{where}/cancellation", headers=tag),
        stranger.get(nested),
        stranger.post(nested, json=basket((make(), 1)), headers=new_key()),
    ):
        assert answer.status_code == 404
    assert stranger.put(f"{where}/status", json={"status": "paid"}, headers=tag).status_code == 403
    for path in (ORDERS, orders_of(stranger)):
        assert [order["id"] for order in stranger.get(path).json()["items"]] == [theirs.json()["id"]]
    assert customer.get(where).json() == owns.json()


def test_manager_sees_and_works_on_everybodys(customer, stranger, manager, make):
    mine, theirs = placed(customer, (make(), 1)), placed(stranger, (make(), 1))
    newest = manager.get(ORDERS, params={"per_page": 2}).json()["items"]
    assert [order["id"] for order in newest] == [theirs.json()["id"], mine.json()["id"]]
    assert manager.get(orders_of(stranger)).json()["items"] == [theirs.json()]
    where = theirs.headers["Location"]
    assert manager.patch(where, json={"note": "Called."}, headers=if_match(manager.get(where))).status_code == 200
    made = placed(manager, (make(), 1), path=orders_of(stranger))
    assert stranger.get(made.headers["Location"]).json()["owner"]["id"] == user_of(stranger)["id"]


def test_own_orders_are_placed_under_oneself_too(stranger, make):
    key, body = new_key(), basket((make(), 1))
    first, second = (stranger.post(orders_of(stranger), json=body, headers=key) for _ in range(2))
    assert (first.status_code, second.headers["Idempotency-Replayed"]) == (201, "true")
    assert [order["id"] for order in stranger.get(ORDERS).json()["items"]] == [first.json()["id"]]


def test_order_for_a_customer_leads_there_whom_it_may(customer, manager, make):
    vinod = manager.get("/api/v1/customers", params={"q": "vinod"}).json()["items"][0]
    owner = placed(customer, (make(), 1)).json()["owner"]["id"]
    placed_for = placed(manager, (make(), 1), path=f"/api/v1/users/{owner}/orders", customer_id=vinod["id"])
    seen = customer.get(placed_for.headers["Location"]).json()
    assert (seen["customer_id"], seen["_links"].keys()) == (vinod["id"], {"self"})
    order = manager.get(placed_for.headers["Location"])
    assert manager.get(order.json()["_links"]["customer"]["href"]).json()["id"] == vinod["id"]
    nobody = manager.patch(placed_for.headers["Location"], json={"customer_id": None}, headers=if_match(order)).json()
    assert (nobody["customer_id"], nobody["_links"].keys()) == (None, {"self"})


def test_orders_of_nobody_are_404(manager, make):
    nobody = f"/api/v1/users/{uuid4()}/orders"
    assert manager.get(nobody).status_code == 404
    assert manager.post(nobody, json=basket((make(), 1)), headers=new_key()).status_code == 404


def test_filters_hold_together(stranger, manager, make):
    product = make()
    answers = [placed(stranger, (product, 1)) for _ in range(4)]
    first, second, third, fourth = (answer.json() for answer in answers)
    where = answers[1].headers["Location"]
    manager.put(f"{where}/status", json={"status": "paid"}, headers=if_match(manager.get(where)))

    def numbers(**filters):
        page = stranger.get(ORDERS, params=filters).json()
        assert filters.keys() <= page.keys()
        return [order["number"] for order in page["items"]]

    assert numbers() == [fourth["number"], third["number"], second["number"], first["number"]]
    assert numbers(status="paid") == [second["number"]]
    assert numbers(**{"from": third["created_at"]}) == [fourth["number"], third["number"]]
    assert numbers(to=third["created_at"]) == [second["number"], first["number"]]
    assert numbers(**{"from": second["created_at"], "to": fourth["created_at"], "status": "pending"}) == [
        third["number"]
    ]
    later = datetime.fromisoformat(fourth["created_at"]) + timedelta(days=1)
    assert numbers(**{"from": later.isoformat()}) == []


@pytest.mark.parametrize("nested", [False, True])
def test_pages_show_every_order_once_while_others_are_placed(stranger, make, nested):
    product = make(stock=100)
    first = [placed(stranger, (product, 1)).json()["id"] for _ in range(7)]
    path, seen = orders_of(stranger) if nested else ORDERS, []
    page = stranger.get(path, params={"per_page": 2, "status": "pending"}).json()
    while True:
        seen += [order["id"] for order in page["items"]]
        placed(stranger, (product, 1))
        if "next" not in page["_links"]:
            break
        assert "status=pending" in page["_links"]["next"]["href"]
        page = stranger.get(page["_links"]["next"]["href"]).json()
    assert seen == first[::-1]
    assert stranger.get(page["_links"]["first"]["href"]).json()["cursor"] == "*"


def test_cursor_of_somebody_else_is_refused(customer, stranger, make):
    for _ in range(2):
        placed(customer, (make(), 1))
    cursor = customer.get(ORDERS, params={"per_page": 1}).json()["next_cursor"]
    assert stranger.get(ORDERS, params={"per_page": 1, "cursor": cursor}).status_code == 400


def test_popular_products_come_by_what_was_sold(customer, anonymous, make, admin):
    well, better, deleted = make(stock=5000), make(stock=5000), make(stock=5000)
    placed(customer, (well, 900), (better, 1000), (deleted, 1000))
    placed(customer, (better, 10), (deleted, 1000))
    cancelled = placed(customer, (well, 1000))
    customer.post(f"{cancelled.headers['Location']}/cancellation", headers=if_match(cancelled))
    admin.delete(f"/api/v1/products/{deleted['id']}")
    first = anonymous.get("/api/v1/products/popular", params={"per_page": 100})
    sold = {product["id"]: product["units_sold"] for product in first.json()["items"]}
    assert (sold[better["id"]], sold[well["id"]]) == (1010, 900)
    assert deleted["id"] not in sold
    assert list(sold.values()) == sorted(sold.values(), reverse=True)
    tag = first.headers["ETag"]
    again = anonymous.get("/api/v1/products/popular", params={"per_page": 100}, headers={"If-None-Match": tag})
    assert again.status_code == 304
