"""Rate limits of the running service: behind proxies, in several processes, and without the Redis they count in."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from services.demo_data import LOGINS
from tests.support.server import GENEROUS

DEFAULTS = "{}"
PROXY = "127.0.0.1"
PRODUCTS = "/api/v1/products"


def limits(**policies):
    return json.dumps(GENEROUS | {name.replace("_", "-"): given for name, given in policies.items()})


def log_in(shop, username, password="wrong", address=None, version="v1"):
    return httpx.post(
        f"{shop.base}/api/{version}/auth/login",
        json={"username": username, "password": password},
        headers={"X-Forwarded-For": address} if address else {},
    )


@pytest.fixture(scope="module")
def strict(start):
    """A service with the limits of the contract, behind a proxy."""
    return start("sqlite", ACCORD_RATE_LIMITS=DEFAULTS, ACCORD_TRUSTED_PROXIES=PROXY)


@pytest.fixture(scope="module")
def narrow(start):
    """A service without a proxy, and with limits that are soon met."""
    return start("sqlite", ACCORD_RATE_LIMITS=limits(anonymous=["2 per hour"], catalogue=["1 per 5 seconds"]))


def test_password_is_guessed_five_times_a_minute_from_wherever_and_however_the_name_is_written(strict):
    username, password = LOGINS["manager"]
    names = [username, username.upper(), username.title(), "\N{FULLWIDTH LATIN SMALL LETTER M}anager", username]
    answers = [log_in(strict, name, address=f"198.51.100.{n}") for n, name in enumerate(names)]
    assert [answer.status_code for answer in answers] == [401] * 5
    refused = log_in(strict, username, password, address="198.51.100.99", version="v2")
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert abs(int(refused.headers["X-RateLimit-Reset"]) - time.time() - int(refused.headers["Retry-After"])) < 2


def test_one_address_logs_in_five_times_a_minute_as_whomever(strict):
    answers = [log_in(strict, f"user-{n}", address="198.51.100.200") for n in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert log_in(strict, "user-7", address="198.51.100.201").status_code == 401


def test_wait_that_is_said_is_enough_and_a_second_less_is_not(narrow):
    def get():
        return httpx.get(f"{narrow.base}{PRODUCTS}")

    get()
    refused = get()
    assert refused.status_code == 429
    time.sleep(int(refused.headers["Retry-After"]) - 1.2)
    assert get().status_code == 429
    time.sleep(1.2)
    assert get().status_code == 200


def test_address_is_what_the_last_trusted_hop_saw(strict):
    def remaining(forwarded):
        answer = httpx.get(f"{strict.base}{PRODUCTS}", headers={"X-Forwarded-For": forwarded})
        return int(answer.headers["X-RateLimit-Remaining"])

    assert [remaining("203.0.113.5"), remaining("1.2.3.4, 203.0.113.5"), remaining("203.0.113.5, 127.0.0.1")] == [
        59,
        58,
        57,
    ]
    assert remaining("203.0.113.6, 203.0.113.7") == 59


def test_forged_address_buys_nothing(narrow):
    forged = [{name: f"203.0.113.{n}"} for n, name in enumerate(["X-Forwarded-For", "Forwarded", "X-Real-IP"])]
    assert [httpx.get(f"{narrow.base}/", headers=each).status_code for each in forged] == [200, 200, 429]


def test_processes_that_share_a_redis_count_to_the_request(start, redis):
    settings = {"ACCORD_REDIS_URL": redis.url, "ACCORD_RATE_LIMITS": limits(anonymous=["25 per hour"])}
    shops = [start("sqlite", **settings) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: httpx.get(f"{shops[n % 2].base}/").status_code, range(60)))
    assert (answers.count(200), answers.count(429)) == (25, 35)


def test_redis_that_dies_under_load_is_not_noticed_by_callers(start, redis):
    shop = start("sqlite", ACCORD_REDIS_URL=redis.url, ACCORD_RATE_LIMITS=limits(anonymous=["30 per 2 seconds"]))
    statuses, is_over = [], threading.Event()

    def load():
        with httpx.Client(base_url=shop.base) as client:
            while not is_over.is_set():
                statuses.append(client.get("/").status_code)

    def told(words):
        for _ in range(300):
            if words in shop.server.log.read_text():
                return True
            time.sleep(0.1)
        return False

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(load)
        redis.kill()
        assert told("Redis does not answer")
        redis.start()
        assert told("Redis answers again")
        time.sleep(1)
        is_over.set()
    assert set(statuses) == {200, 429}
    assert redis.commands() > 0
    assert shop.server.log.read_text().count("Redis") == 2
    assert redis.url not in shop.server.log.read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"logins": ["5 per minute"]}', 'ACCORD_RATE_LIMITS: unknown rate limit policy "logins"; known: '),
        (
            '{"log-in": ["five per minute"]}',
            "ACCORD_RATE_LIMITS: rate limit policy \"log-in\": 'five per minute' is not a limit",
        ),
    ],
)
def test_limits_that_cannot_be_refuse_to_start(strict, given, said):
    before = strict.server.environment["ACCORD_RATE_LIMITS"]
    strict.server.environment["ACCORD_RATE_LIMITS"] = given
    done = strict.server.run("check", check=False)
    strict.server.environment["ACCORD_RATE_LIMITS"] = before
    assert done.returncode == 1
    assert said in done.stderr
