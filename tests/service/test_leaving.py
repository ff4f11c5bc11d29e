"""Callers that go away, and services that are told to go or are killed, leave nothing half-done."""

import asyncio
import contextlib
import signal
import sqlite3
import threading
import time

import asyncpg
import httpx
import pytest

from tests.databases import KINDS
from tests.service.conftest import JSON
from tests.service.wire import exchange, request

SLOW = {
    "sqlite": """
        create view thousands as with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000000) select i from n;
        create trigger slow before insert on products begin select count(*) from thousands; end;
    """,
    "postgresql": """
        create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return new; end';
        create trigger slow before insert on products for each row execute function slow();
    """,
}
QUICK = {"sqlite": "drop trigger slow; drop view thousands", "postgresql": "drop function slow cascade"}


@pytest.fixture(scope="module", params=KINDS)
def own(request, start):
    """A service of our own: its products take about a second to make if we wish."""
    shop = start(request.param, ACCORD_DATABASE_POOL_SIZE="2")
    shop.kind, shop.url = request.param, shop.server.environment["ACCORD_DATABASE_URL"]
    return shop


def execute(shop, script):
    if shop.kind == "sqlite":
        with contextlib.closing(sqlite3.connect(shop.url.removeprefix("sqlite:///"), timeout=10)) as connection:
            return connection.executescript(script).fetchall()

    async def run():
        connection = await asyncpg.connect(shop.url)
        try:
            return await (connection.fetch(script) if script.startswith("select") else connection.execute(script))
        finally:
            await connection.close()

    return asyncio.run(run())


@contextlib.contextmanager
def slow_writes(shop):
    execute(shop, SLOW[shop.kind])
    try:
        yield
    finally:
        execute(shop, QUICK[shop.kind])


def assert_nothing_is_held(shop):
    """No transaction is open, and there are connections for as many as may come."""
    if shop.kind == "postgresql":
        open_ones = "select state from pg_stat_activity where application_name = 'accord' and state <> 'idle'"
        deadline = time.monotonic() + 5
        while found := execute(shop, open_ones):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
    for _ in range(4):
        assert exchange(shop.port, shop.create(body=shop.product())).status == 201
        assert shop.exchange("GET", "/api/v1/products").status == 200


@pytest.mark.parametrize("farewell", ["hang_up", "__exit__"])
def test_caller_that_leaves_in_the_middle_of_a_body_has_changed_nothing(own, farewell):
    body = own.product(sku="HALF-SENT")
    for _ in range(20):
        wire = own.wire()
        wire.send(own.create(f"Content-Length: {len(body) + 1}") + body)
        getattr(wire, farewell)()
    assert_nothing_is_held(own)
    assert not own.has("HALF-SENT")


def test_caller_that_leaves_before_the_answer_has_changed_all_or_nothing(own):
    key = "Idempotency-Key: left-before-the-answer"
    body = own.product(sku="LEFT-EARLY")
    with slow_writes(own):
        for number in range(4):
            wire = own.wire()
            wire.send(own.create(body=own.product(sku=f"LEFT-{number}")) if number else own.create(key, body=body))
            time.sleep(0.05)
            wire.hang_up()
        deadline = time.monotonic() + 20
        while (answer := exchange(own.port, own.create(key, body=body))).status != 201:
            assert answer.status in {409, 503}, answer
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)
    assert_nothing_is_held(own)
    assert httpx.get(f"{own.base}/api/v1/products?q=ghee&per_page=100").json()["total"] >= 1
    assert own.has("LEFT-EARLY")


def test_caller_that_does_not_read_its_answers_stops_nobody(own):
    with own.wire() as deaf:
        deaf.tell(request("GET", "/api/v1/openapi.json") * 200)
        for _ in range(5):
            assert own.is_alive()
    assert_nothing_is_held(own)


def test_login_of_a_caller_that_leaves_starts_no_half_session(own):
    body = b'{"username":"customer","password":"customer-demo-password"}'
    for _ in range(10):
        wire = own.wire()
        wire.send(request("POST", "/api/v1/auth/login", JSON, body=body))
        wire.hang_up()
    assert own.log_in("customer")["access_token"]
    assert_nothing_is_held(own)


class TestEnds:
    """The service is told to end, or is killed."""

    @pytest.fixture(autouse=True)
    def _runs_again(self, own):
        yield
        if own.server.process.poll() is not None:
            own.server.start()

    def test_requests_in_flight_are_answered_before_the_service_ends(self, own):
        answers = []
        with slow_writes(own):
            data = own.create(body=own.product(sku="IN-FLIGHT"))
            asking = threading.Thread(target=lambda: answers.append(exchange(own.port, data)))
            asking.start()
            time.sleep(0.3)
            own.server.process.send_signal(signal.SIGTERM)
            asking.join()
            assert own.server.process.wait(timeout=15) in {0, -signal.SIGTERM}
        assert [answer.status for answer in answers] == [201]
        own.server.start()
        assert own.has("IN-FLIGHT")

    def test_killed_service_has_done_each_write_whole_or_not_and_replays_it(self, own):
        """Keys of all requests that were under way are good after the restart: what was done is not done again."""
        data = {n: own.create(f"Idempotency-Key: killed-{n:04}", body=own.product(sku=f"KILL-{n}", tags=[f"T{n}"])) for n in range(400)}
        done, lock = {}, threading.Lock()
        waiting = iter(data.items())

        def write():
            while True:
                with lock:
                    number, sent = next(waiting, (None, None))
                if number is None:
                    return
                try:
                    done[number] = exchange(own.port, sent)
                except (OSError, EOFError):
                    return

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        while len(done) < 30:
            time.sleep(0.005)
        own.server.process.kill()
        own.server.process.wait()
        for writer in writers:
            writer.join()
        before = dict(done)
        assert 30 <= len(before) < len(data), "It should have been killed in the middle."

        own.server.start()
        for number in range(len(before) + 10):
            again = exchange(own.port, data[number])
            assert again.status == 201, again
            assert exchange(own.port, data[number]).json["id"] == again.json["id"]
            if number in before:
                assert again.header("idempotency-replayed") == "true"
                assert again.json["id"] == before[number].json["id"]
        if own.kind == "sqlite":
            assert execute(own, "pragma foreign_key_check") == []
        orphans = "select p.id from products p where p.sku like 'KILL-%' and not exists (select 1 from product_tags t where t.product_id = p.id)"
        assert list(execute(own, orphans) or []) == []
