"""Taking more than one's share: of memory, of time, of attempts, of the stock."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from tests.contract.operations import LISTS
from tests.contract.writing import FRESH
from tests.pictures import png
from tests.security.target import operation, somewhere
from tests.service.wire import request

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
PRODUCTS, REGISTER = "/api/v1/products", "/api/v1/auth/register"


def bodies_that_explode(target):
    """What is small to send and large to read is refused, soon and in little memory."""
    token, before = target.tokens["admin"], target.memory().rss
    many = ",".join(f'"m{n}":0' for n in range(80_000))
    odd = f'{{"sku": "A-1", "name": "x", "price": "1.00", "stock": 1{"0" * 300_000}}}'
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    parts = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n' * 10_000 + b"--b--\r\n"
    for body, headers in (
        ("[" * 500_000, JSON), ('{"a":' * 150_000, JSON), ("[" * 100_000 + "]" * 100_000, JSON), (f"{{{many}}}", JSON),
        (odd, JSON), ('{"stock": 1e999999999}', JSON), ('{"name": "' + "\\u0000" * 150_000 + '"}', JSON),
        ("x" * (MIB + 1), JSON), ((b" " * 65_536 for _ in range(40)), JSON), ("\x1f\x8b", JSON | {"Content-Encoding": "gzip"}),
        (parts, multipart), ("sku\n" + "x\n" * 400_000, {"Content-Type": "text/csv"}), ("<a/>", {"Content-Type": "text/xml"}),
    ):  # fmt: skip
        for path in (PRODUCTS, f"{PRODUCTS}/batch", "/api/v1/customers"):
            _soon(target.refused, "POST", path, token, content=body, headers=headers)
            if not isinstance(body, (str, bytes)):
                break
    customer = {"name": "Bomb", "email": FRESH["email"](), "phone": FRESH["phone"]()}
    for picture in (png(60_000, 60_000), png(2**31 - 1, 1), png(7_000, 7_000, b"\0" * 100 * MIB)):
        files = {"photo": ("bomb.png", picture, "image/png")}
        answer = _soon(target.refused, "POST", "/api/v1/customers", token, data=customer, files=files)
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/photo"]
    assert target.memory().rss - before < 100 * MIB
    assert target.shop.is_alive()


def heads_that_explode(target):
    """What names too much is refused or passed over, and soon."""
    token, many = target.tokens["admin"], ",".join
    for name, value in {
        "Accept": many(f"a{n}/b;q=0.{n % 9}" for n in range(4_000)), "Accept-Encoding": "gzip;q=0.1," * 5_000,
        "If-None-Match": many(f'"{n}"' for n in range(8_000)), "Accept-Language": "en," * 20_000,
        "Range": "bytes=" + many("0-0" for _ in range(10_000)), "Cookie": "a=b;" * 15_000, "traceparent": "0" * 60_000,
        "Origin": "https://" + "a." * 20_000, "X-Forwarded-For": "1.1.1.1," * 7_000, "Idempotency-Key": "x" * 60_000,
    }.items():  # fmt: skip
        _soon(target.send, "GET", PRODUCTS, token, headers={name: value})
    file = target.admin(operation("create_file")).headers["Location"]
    _soon(target.send, "GET", f"{file}/content", token, headers={"Range": "bytes=" + many(["0-"] * 5_000)})
    assert target.refused("GET", PRODUCTS, token, headers={"X": "x" * 70_000}).status_code == 431
    assert target.refused("GET", f"/{'x' * 9_000}").status_code == 414


def pages_that_explode(target):
    """No list shows more than a page, or takes long over one that is far away."""
    for listing in LISTS:
        path = target.known(listing)
        for query in (
            {"per_page": 101}, {"per_page": 10**9}, {"per_page": -1}, {"page": 10**30}, {"page": -1}, {"cursor": "x" * 5_000},
            {"q": "%" * 3_000}, {"limit": 10**6}, {"fields": "id," * 2_000}, {"tag": ["x"] * 3_000},
        ):  # fmt: skip
            _soon(target.refused, "GET", path, target.tokens["admin"], params=query)
        _soon(target.send, "GET", path, target.tokens["admin"], params={"q": "a " * 49 + "%_"})


def slow_senders(strict):
    """Fifty who send slowly keep nobody waiting, and are not waited for."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(strict.shop.wire()) for _ in range(50)]
        for n, wire in enumerate(wires):
            head = [
                "Content-Type: application/json",
                "Content-Length: 50",
                f"X-Forwarded-For: {somewhere()['X-Forwarded-For']}",
            ]
            whole = request("POST", "/api/v1/auth/login", *head) + b'{"username":'
            wire.send(whole[: None if n % 2 else 60])
        _soon(strict.send, "GET", "/health/ready")
        for wire in wires:
            wire.tell(b"x")
            assert wire.answer().status == 408


def more_requests_than_allowed(strict):
    """Who has had their share has had it, whatever they say of themselves."""
    here, forged = somewhere(), {"X-Real-IP": "9.9.9.9", "X-Client-IP": "9.9.9.9", "True-Client-IP": "9.9.9.9"}
    statuses = [strict.send("GET", PRODUCTS, headers=here).status_code for _ in range(60)]
    assert set(statuses) == {200}
    through = {"X-Forwarded-For": f"9.9.9.9, {here['X-Forwarded-For']}", "Forwarded": "for=9.9.9.9"}
    for method, path, headers in (
        ("GET", PRODUCTS, forged), ("GET", PRODUCTS, through), ("HEAD", PRODUCTS, {}), ("GET", "/api/v2/products", {}),
        ("GET", "/api/products", {"X-API-Version": "2"}), ("GET", f"{PRODUCTS}?page=2", {}), ("GET", "/api/v1/tags", {}),
        ("GET", PRODUCTS, {"Cache-Control": "no-cache", "User-Agent": "another", "X-Request-Id": "another-one"}),
    ):  # fmt: skip
        refused = strict.refused(method, path, headers=here | forged | headers)
        assert (refused.status_code, int(refused.headers["Retry-After"]) <= 60) == (429, True), (path, headers)
    assert strict.send("GET", PRODUCTS, headers=somewhere()).is_success


def forged_addresses(target):
    """Where there is no proxy, nobody says where they come from."""
    left = [
        int(target.send("GET", PRODUCTS, headers={name: "9.9.9.9"}).headers["X-RateLimit-Remaining"])
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP")
    ]
    assert left == list(range(left[0], left[0] - 4, -1))


def accounts_by_the_dozen(strict):
    """One address makes ten accounts a minute."""
    here = somewhere()
    forms = [
        {"username": FRESH["username"](), "email": FRESH["email"](), "password": "correct horse"} for _ in range(12)
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda form: strict.send("POST", REGISTER, json=form, headers=here).status_code, forms)
    assert sorted(answers) == [201] * 10 + [429] * 2


def orders_by_the_dozen(strict):
    """A customer makes five things a minute, by whichever door."""
    form = {"username": FRESH["username"](), "email": FRESH["email"](), "password": "correct horse"}
    user = strict.send("POST", REGISTER, json=form, headers=somewhere()).json()
    login = {name: form[name] for name in ("username", "password")}
    token = strict.send("POST", "/api/v1/auth/login", json=login, headers=somewhere()).json()["access_token"]
    product = strict.send("GET", PRODUCTS, headers=somewhere()).json()["items"][0]["id"]
    order = {"items": [{"product_id": product, "quantity": 1}]}
    doors = ["/api/v1/orders", "/api/v2/orders", "/api/orders", f"/api/v1/users/{user['id']}/orders"] * 2
    statuses = [
        strict.send(
            "POST", door, token, json=order, headers=somewhere() | {"Idempotency-Key": f"door-{n}-{user['id']}"}
        )
        for n, door in enumerate(doors)
    ]
    assert [answer.status_code for answer in statuses] == [201] * 5 + [429] * 3
    assert strict.refused("POST", "/api/v1/tasks", token, json={"title": "Buy more"}).status_code == 429


def stock(target):
    """The stock is neither taken twice, nor below zero, nor given back twice."""
    body = target.admin.filled(operation("create_product").body) | {"stock": 3}
    product = target.send("POST", PRODUCTS, target.tokens["admin"], json=body).json()["id"]

    def buy(*quantities, key=None):
        items = [{"product_id": product, "quantity": quantity} for quantity in quantities]
        headers = {"Idempotency-Key": key or FRESH["title"]().replace(" ", "-")}
        return target.send("POST", "/api/v1/orders", target.intruder.token, json={"items": items}, headers=headers)

    for quantities in ((0,), (-1,), (1.5,), ("3",), (10**30,), (1_001,), (4,), (2, 2), (1,) * 101, (1_000,) * 100, ()):
        assert buy(*quantities).status_code in {409, 422}, quantities
    with ThreadPoolExecutor(8) as pool:
        bought = [answer for answer in pool.map(lambda _: buy(1), range(8)) if answer.is_success]
        assert len(bought) == 3
        cancel = f"{bought[0].headers['Location']}/cancellation"
        tag = {"If-Match": bought[0].headers["ETag"]}
        back = pool.map(lambda _: target.send("POST", cancel, target.intruder.token, headers=tag).status_code, range(8))
        assert sorted(back)[:2] != [200, 200]
    assert target.send("GET", f"{PRODUCTS}/{product}", target.tokens["admin"]).json()["stock"] == 1


def _soon(send, *request, **options):
    began = time.perf_counter()
    answer = send(*request, **options)
    assert time.perf_counter() - began < 3, (request, answer.status_code)
    return answer
