"""Taking more than one's share: of memory, of time, of attempts, of the stock."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.security.target import named, somewhere
from tests.support.operations import LISTS
from tests.support.pictures import png
from tests.support.wire import request
from tests.support.write_operations import FRESH

MIB = 1024 * 1024
JSON, CSV = {"Content-Type": "application/json"}, {"Content-Type": "text/csv"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PRODUCTS, REGISTER, LOG_IN = "/api/v1/products", "/api/v1/auth/register", "/api/v1/auth/login"
PART = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n'
BODIES = [
    ("[" * 500_000, JSON), ('{"a":' * 150_000, JSON), ("[" * 100_000 + "]" * 100_000, JSON), ("x" * (MIB + 1), JSON),
    ("{" + ",".join(f'"m{n}":0' for n in range(80_000)) + "}", JSON), ('{"stock": 1' + "0" * 300_000 + "}", JSON),
    ('{"stock": 1e999999999}', JSON), ('{"name": "' + "\\u0000" * 150_000 + '"}', JSON),
    ("sku\n" + "x\n" * 400_000, CSV), (PART * 10_000 + b"--b--\r\n", FORM),
    (b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}),
]  # fmt: skip
HEADERS = {
    "Accept": ",".join(f"a{n}/b;q=0.{n % 9}" for n in range(4_000)), "Accept-Encoding": "gzip;q=0.1," * 5_000,
    "If-None-Match": ",".join(f'"{n}"' for n in range(8_000)), "Cookie": "a=b;" * 15_000, "traceparent": "0" * 60_000,
    "Range": "bytes=" + "0-," * 10_000, "Origin": "https://" + "a." * 20_000, "X-Forwarded-For": "1.1.1.1," * 7_000,
}  # fmt: skip
QUERIES = [
    {"per_page": 101}, {"per_page": 10**9}, {"page": 10**30}, {"page": -1}, {"cursor": "x" * 5_000}, {"q": "%" * 3_000},
    {"limit": 10**6}, {"fields": "id," * 2_000}, {"tag": ["x"] * 1_000},
]  # fmt: skip


def bodies_that_explode(target):
    """What is small to send and large to read is refused, soon and in little memory."""
    token, memory = target.tokens["admin"], psutil.Process(target.shop.server.process.pid).memory_info
    before = memory().rss
    for body, headers in BODIES:
        for path in (PRODUCTS, "/api/v1/customers"):
            _soon(target.refused, "POST", path, token, content=body, headers=headers)
    chunks = (b" " * 65_536 for _ in range(40))
    assert _soon(target.refused, "POST", PRODUCTS, token, content=chunks, headers=JSON).status_code == 413
    customer = {name: FRESH[name]() for name in ("name", "email", "phone")}
    for picture in (png(60_000, 60_000), png(2**31 - 1, 1), png(7_000, 7_000, b"\0" * 100 * MIB)):
        files = {"photo": ("bomb.png", picture, "image/png")}
        answer = _soon(target.refused, "POST", "/api/v1/customers", token, data=customer, files=files)
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/photo"]
    assert memory().rss - before < 100 * MIB


def heads_and_pages_that_explode(target):
    """What names too much is refused or passed over, and no list shows more than a page of itself."""
    token, file = target.tokens["admin"], target.admin(named("create_file")).headers["Location"]
    for name, value in HEADERS.items():
        for path in (PRODUCTS, f"{file}/content"):
            _soon(target.send, "GET", path, token, headers={name: value})
    assert target.refused("GET", PRODUCTS, token, headers={"X": "x" * 70_000}).status_code == 431
    assert target.refused("GET", f"/{'x' * 9_000}").status_code == 414
    for listing in LISTS:
        path = target.known(listing)
        for query in QUERIES:
            _soon(target.refused, "GET", path, token, params=query)
        _soon(target.send, "GET", path, token, params={"q": "a " * 49 + "%_"})


def slow_senders(strict):
    """Fifty who send slowly keep nobody waiting, and are not waited for."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(strict.shop.wire()) for _ in range(50)]
        for n, wire in enumerate(wires):
            where = f"X-Forwarded-For: {somewhere()['X-Forwarded-For']}"
            whole = request("POST", LOG_IN, where, "Content-Type: application/json", "Content-Length: 50") + b'{"user'
            wire.send(whole[: None if n % 2 else 60])
        # Were one of them waited for after the other, this would take longer than the client waits.
        strict.send("GET", "/health/ready")
        assert {wire.answer().status for wire in wires} == {408}


def more_requests_than_allowed(strict):
    """Who has had their share has had it, whatever they say of themselves."""
    here, forged = somewhere(), {"X-Real-IP": "9.9.9.9", "X-Client-IP": "9.9.9.9", "Forwarded": "for=9.9.9.9"}
    assert {strict.send("GET", PRODUCTS, headers=here).status_code for _ in range(60)} == {200}
    through = {"X-Forwarded-For": f"9.9.9.9, {here['X-Forwarded-For']}", "User-Agent": "another", "X-API-Version": "2"}
    for method, path in (
        ("GET", PRODUCTS), ("HEAD", PRODUCTS), ("GET", "/api/v2/products"), ("GET", "/api/products"),
        ("GET", f"{PRODUCTS}?page=2"), ("GET", "/api/v1/tags"),
    ):  # fmt: skip
        refused = strict.refused(method, path, headers=here | forged | through)
        assert (refused.status_code, int(refused.headers["Retry-After"]) <= 60) == (429, True), path
    assert strict.send("GET", PRODUCTS, headers=somewhere()).is_success


def forged_addresses(target):
    """Where there is no proxy, nobody says where they come from."""
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP")
    answers = [target.send("GET", PRODUCTS, headers={name: "9.9.9.9"}) for name in names]
    left = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers]
    assert left == list(range(left[0], left[0] - len(names), -1))


def accounts_by_the_dozen(strict):
    """One address makes ten accounts a minute, and one account five things, by whichever door."""
    here = somewhere()
    forms = [{name: FRESH[name]() for name in ("username", "email", "password")} for _ in range(12)]
    answers = [strict.send("POST", REGISTER, json=form, headers=here) for form in forms]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429] * 2
    login = {name: forms[0][name] for name in ("username", "password")}
    token = strict.send("POST", LOG_IN, json=login, headers=somewhere()).json()["access_token"]
    product = strict.send("GET", PRODUCTS, headers=somewhere()).json()["items"][0]["id"]
    order = {"items": [{"product_id": product, "quantity": 1}]}
    doors = ["/api/v1/orders", "/api/v2/orders", "/api/orders", f"{answers[0].headers['Location']}/orders"] * 2
    keys = [somewhere() | {"Idempotency-Key": f"door-{n}-{login['username']}"} for n in range(8)]
    placed = [strict.send("POST", door, token, json=order, headers=key) for door, key in zip(doors, keys, strict=True)]
    assert [answer.status_code for answer in placed] == [201] * 5 + [429] * 3


def stock(target):
    """The stock is neither taken twice, nor below zero, nor given back twice."""
    body = target.admin.filled(named("create_product").body) | {"stock": 3}
    product = target.send("POST", PRODUCTS, target.tokens["admin"], json=body).json()["id"]

    def buy(*quantities):
        items = [{"product_id": product, "quantity": quantity} for quantity in quantities]
        headers = {"Idempotency-Key": FRESH["username"]()}
        return target.send("POST", "/api/v1/orders", target.intruder.token, json={"items": items}, headers=headers)

    for quantities in ((0,), (-1,), (1.5,), ("3",), (10**30,), (1_001,), (4,), (2, 2), (1,) * 101, (1_000,) * 100, ()):
        assert buy(*quantities).status_code in {409, 422}, quantities
    with ThreadPoolExecutor(8) as pool:
        bought = [answer for answer in pool.map(lambda _: buy(1), range(8)) if answer.is_success]
        assert len(bought) == 3
        cancel, tag = f"{bought[0].headers['Location']}/cancellation", {"If-Match": bought[0].headers["ETag"]}
        list(pool.map(lambda _: target.send("POST", cancel, target.intruder.token, headers=tag), range(8)))
    assert target.send("GET", f"{PRODUCTS}/{product}", target.tokens["admin"]).json()["stock"] == 1


def _soon(send, *request, **options):
    """The answer to a request that takes less than three seconds of the processor's time."""
    service = psutil.Process(send.__self__.shop.server.process.pid)
    before = sum(service.cpu_times()[:2])
    answer = send(*request, **options)
    assert sum(service.cpu_times()[:2]) - before < 3, (request, answer.status_code)
    return answer
