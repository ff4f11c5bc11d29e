"""The database is away, locked, slow or busy: callers are told so soon, and only as long as it is so."""

import threading
import time
from collections import Counter

import httpx
import pytest

from tests.support.databases import PostgresServer, postgresql_server
from tests.support.servers import IMPATIENT
from tests.support.wire import exchange, request

SLOW = {
    "sqlite": """
        create view endless as with recursive n(i) as (select 1 union all select i + 1 from n) select i from n;
        create trigger slow before insert on products begin select count(*) from endless; end;
    """,
    "postgresql": """
        create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(60); return new; end';
        create trigger slow before insert on products for each row execute function slow();
    """,
}
QUICK = {"sqlite": "drop trigger slow; drop view endless", "postgresql": "drop function slow cascade"}
LOCK = {"sqlite": "begin immediate", "postgresql": "begin; lock table products in access exclusive mode"}


def at_once(count, ask):
    """What `ask` returned in as many threads."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return answers


def timed(shop, data):
    started = time.monotonic()
    answer = exchange(shop.port, data)
    return answer, time.monotonic() - started


def assert_unavailable(answer):
    assert answer.status == 503, answer
    assert answer.header("content-type") == "application/problem+json"
    assert int(answer.header("retry-after")) > 0
    assert answer.json["status"] == 503


def test_lock_that_is_not_released_is_a_503_and_later_forgotten(impatient):
    with impatient.neighbour() as tell:
        tell(LOCK[impatient.kind])
        # The lock is held all the time: what is answered did not wait for it.
        for answer in at_once(12, lambda: exchange(impatient.port, impatient.create(body=impatient.product()))):
            assert_unavailable(answer)
        assert impatient.is_alive()
    assert impatient.exchange("GET", "/health/ready").status == 200
    assert exchange(impatient.port, impatient.create(body=impatient.product())).status == 201


def test_reads_do_not_wait_for_writers_that_wait(impatient):
    with impatient.neighbour() as tell:
        tell("begin immediate" if impatient.kind == "sqlite" else "begin; lock table products in exclusive mode")
        waiting = threading.Thread(
            target=lambda: at_once(8, lambda: exchange(impatient.port, impatient.create(body=impatient.product())))
        )
        waiting.start()
        time.sleep(0.1)
        answer = exchange(impatient.port, request("GET", "/api/v1/products"))
        assert waiting.is_alive()
        waiting.join()
    assert answer.status == 200


def test_statement_that_takes_too_long_is_cancelled_and_a_503(impatient):
    with impatient.neighbour() as tell:
        tell(SLOW[impatient.kind])
        try:
            answer, seconds = timed(impatient, impatient.create(body=impatient.product(sku="TOO-SLOW")))
        finally:
            tell(QUICK[impatient.kind])
    assert_unavailable(answer)
    assert seconds > 0.5
    assert not impatient.has("TOO-SLOW")


def test_key_of_a_request_that_was_unavailable_is_good_for_the_next_try(impatient):
    data = impatient.create("Idempotency-Key: once-it-is-back", body=impatient.product())
    with impatient.neighbour() as tell:
        tell(LOCK[impatient.kind])
        assert_unavailable(exchange(impatient.port, data))
    made = exchange(impatient.port, data)
    assert (made.status, made.header("idempotency-replayed")) == (201, None)


def test_no_connection_in_time_is_a_503(impatient):
    """Two connections, both held by statements that wait for longer than others wait for a connection."""
    with impatient.neighbour() as tell:
        tell(SLOW[impatient.kind])
        try:
            answers = at_once(6, lambda: exchange(impatient.port, impatient.create(body=impatient.product())))
        finally:
            tell(QUICK[impatient.kind])
    for answer in answers:
        assert_unavailable(answer)
    said = Counter(answer.json["detail"] for answer in answers)
    assert said["All connections to the database are in use."] >= 2, said
    assert exchange(impatient.port, impatient.create(body=impatient.product())).status == 201


def test_database_that_its_administrator_closes_is_a_503_until_it_is_opened(impatient):
    if impatient.kind == "sqlite":
        pytest.skip("A file has no administrator.")
    name = impatient.database_url.partition("?")[0].rpartition("/")[2]
    tell = postgresql_server().execute
    tell(f"alter database {name} allow_connections false")
    try:
        tell(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        for path in ("/health/ready", "/api/v1/products", "/api/v1/products?q=tea"):
            assert_unavailable(impatient.exchange("GET", path))
        assert_unavailable(exchange(impatient.port, impatient.create(body=impatient.product())))
    finally:
        tell(f"alter database {name} allow_connections true")
    assert impatient.exchange("GET", "/health/ready").status == 200
    assert exchange(impatient.port, impatient.create(body=impatient.product())).status == 201


class TestPostgresAway:
    """PostgreSQL stops while it is being asked, and starts again."""

    @pytest.fixture(scope="class")
    @classmethod
    def postgres(cls):
        postgres = PostgresServer()
        yield postgres
        postgres.stop()

    def test_service_tells_so_and_recovers_by_itself(self, postgres, start):
        shop = start("postgresql", postgres.url(), **IMPATIENT)
        product = httpx.get(f"{shop.base}/api/v1/products?per_page=1").json()["items"][0]["id"]
        asked = [
            lambda: request("GET", f"/api/v1/products/{product}"),
            lambda: request("GET", "/api/v1/products?q=tea"),
            lambda: request("GET", "/api/v1/auth/me", shop.authorization),
            lambda: shop.create(body=shop.product()),
        ]
        answers, over = [], threading.Event()

        def load(made):
            while not over.is_set():
                answers.append(exchange(shop.port, made()))

        threads = [threading.Thread(target=load, args=[made]) for made in asked * 2]
        for thread in threads:
            thread.start()
        try:
            _until(lambda: {200, 201} <= {answer.status for answer in answers})
            assert {answer.status for answer in answers} == {200, 201}
            postgres.stop()
            stopped = len(answers)
            time.sleep(0.5)
            assert shop.is_alive()
            assert_unavailable(shop.exchange("GET", "/health/ready"))
            _until(lambda: len(answers) > stopped + 2 * len(threads))
            while_away = answers[stopped + len(threads) :]
            assert {answer.status for answer in while_away} == {503}
            postgres.start()
            _until_all_is_well(shop, asked)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        said = shop.server.log.read_text()
        assert {answer.status for answer in answers} == {200, 201, 503}, said
        for answer in answers:
            if answer.status == 503:
                assert_unavailable(answer)
        assert "Traceback" not in shop.server.log.read_text()


def _until(happens):
    """Wait for something; what is asserted next says whether it has happened."""
    for _ in range(600):
        if happens():
            break
        time.sleep(0.05)


def _until_all_is_well(shop, asked):
    for _ in range(100):
        if not {exchange(shop.port, made()).status for made in asked} - {200, 201}:
            break
        time.sleep(0.1)
    assert shop.exchange("GET", "/health/ready").status == 200
