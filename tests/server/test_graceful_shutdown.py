"""Callers that go away, and services that are told to go or are killed, leave nothing half-done."""

import contextlib
import signal
import threading
import time

import httpx
import psutil
import pytest

from tests.support.databases import KINDS
from tests.support.server import PATIENCE
from tests.support.servers import JSON
from tests.support.wire import exchange, request

SLOW = {
    "sqlite": """
        create view thousands as
            with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200000) select i from n;
        create trigger slow before insert on products begin select count(*) from thousands; end;
    """,
    "postgresql": """
        create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return new; end';
        create trigger slow before insert on products for each row execute function slow();
    """,
}
QUICK = {"sqlite": "drop trigger slow; drop view thousands", "postgresql": "drop function slow cascade"}


@contextlib.contextmanager
def slow_writes(shop):
    with shop.neighbour() as tell:
        tell(SLOW[shop.kind])
        try:
            yield
        finally:
            tell(QUICK[shop.kind])


def assert_nothing_is_held(shop):
    """No transaction is open, and there are connections for as many as may come."""
    if shop.kind == "postgresql":
        open_ones = "select state from pg_stat_activity where application_name = 'accord' and state <> 'idle'"
        deadline = time.monotonic() + 5
        while found := shop.select(open_ones):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
    for _ in range(4):
        assert exchange(shop.port, shop.create(body=shop.product())).status == 201
        assert shop.exchange("GET", "/api/v1/products").status == 200


@pytest.mark.parametrize("farewell", ["hang_up", "__exit__"])
def test_caller_that_leaves_in_the_middle_of_a_body_has_changed_nothing(impatient, farewell):
    body = impatient.product(sku="HALF-SENT")
    for _ in range(20):
        wire = impatient.wire()
        wire.send(impatient.create(f"Content-Length: {len(body) + 1}") + body)
        getattr(wire, farewell)()
    assert_nothing_is_held(impatient)
    assert not impatient.has("HALF-SENT")


def test_caller_that_leaves_before_the_answer_has_changed_all_or_nothing(impatient):
    key = "Idempotency-Key: left-before-the-answer"
    body = impatient.product(sku="LEFT-EARLY")
    with slow_writes(impatient):
        for number in range(4):
            wire = impatient.wire()
            wire.send(
                impatient.create(body=impatient.product(sku=f"LEFT-{number}"))
                if number
                else impatient.create(key, body=body)
            )
            time.sleep(0.05)
            wire.hang_up()
        deadline = time.monotonic() + PATIENCE
        while (answer := exchange(impatient.port, impatient.create(key, body=body))).status != 201:
            assert answer.status in {409, 503}, answer
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)
    assert_nothing_is_held(impatient)
    assert httpx.get(f"{impatient.base}/api/v1/products?q=ghee&per_page=100").json()["total"] >= 1
    assert impatient.has("LEFT-EARLY")


def test_caller_that_does_not_read_its_answers_stops_nobody(impatient):
    with impatient.wire() as deaf:
        deaf.tell(request("GET", "/api/v1/openapi.json") * 200)
        for _ in range(5):
            assert impatient.is_alive()
    assert_nothing_is_held(impatient)


def test_login_of_a_caller_that_leaves_starts_no_half_session(impatient):
    body = b'{"username":"customer","password":"customer-demo-password"}'
    for _ in range(10):
        wire = impatient.wire()
        wire.send(request("POST", "/api/v1/auth/login", JSON, body=body))
        wire.hang_up()
    assert impatient.log_in("customer")["access_token"]
    assert_nothing_is_held(impatient)


class TestEnds:
    """The service is told to end, or is killed."""

    @pytest.fixture(autouse=True)
    def _runs_again(self, impatient):
        yield
        if impatient.server.process.poll() is not None:
            impatient.server.start()

    def test_requests_in_flight_are_answered_before_the_service_ends(self, impatient):
        answers = []
        with slow_writes(impatient):
            data = impatient.create(body=impatient.product(sku="IN-FLIGHT"))
            asking = threading.Thread(target=lambda: answers.append(exchange(impatient.port, data)))
            asking.start()
            time.sleep(0.3)
            impatient.server.process.send_signal(signal.SIGTERM)
            asking.join()
            assert impatient.server.process.wait(timeout=15) in {0, -signal.SIGTERM}
        (answer,) = answers
        assert answer.status in {201, 503}, "It may be too slow for a service that waits for nothing long."
        impatient.server.start()
        assert impatient.has("IN-FLIGHT") == (answer.status == 201)

    def test_killed_service_has_done_each_write_whole_or_not_and_replays_it(self, impatient):
        """Keys of all requests that were under way are good after the restart: what was done is not done again."""
        data = {
            n: impatient.create(
                f"Idempotency-Key: killed-{n:04}", body=impatient.product(sku=f"KILL-{n}", tags=[f"T{n}"])
            )
            for n in range(400)
        }
        done, lock = {}, threading.Lock()
        waiting = iter(data.items())

        def write():
            while True:
                with lock:
                    number, sent = next(waiting, (None, None))
                if number is None:
                    return
                try:
                    done[number] = exchange(impatient.port, sent)
                except (OSError, EOFError):
                    return

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        while len(done) < 30:
            time.sleep(0.005)
        impatient.server.process.kill()
        impatient.server.process.wait()
        for writer in writers:
            writer.join()
        before = dict(done)
        assert 30 <= len(before) < len(data), "It should have been killed in the middle."

        impatient.server.start()
        for number in range(len(before) + 10):
            again = exchange(impatient.port, data[number])
            assert again.status == 201, again
            assert exchange(impatient.port, data[number]).json["id"] == again.json["id"]
            if number in before:
                assert again.header("idempotency-replayed") == "true"
                assert again.json["id"] == before[number].json["id"]
        if impatient.kind == "sqlite":
            assert impatient.select("pragma foreign_key_check") == []
        orphans = """
            select id from products where sku like 'KILL-%' and id not in (select product_id from product_tags)
        """
        assert impatient.select(orphans) == []


class TestDrains:
    """The service is told to end, and tells so before it does."""

    @pytest.fixture(scope="class", params=KINDS)
    @classmethod
    def drained(cls, request, start):
        return start(request.param, ACCORD_WORKERS="2", ACCORD_DRAIN_SECONDS="1")

    @pytest.fixture(autouse=True)
    def _runs(self, drained):
        if drained.server.process.poll() is not None:
            drained.server.start()

    def test_nothing_that_was_begun_is_lost_under_load(self, drained):
        """Some callers keep their connections, others do not; they go on until nobody takes their connection."""
        asked, answers, errors = {}, {}, []

        def write(caller):
            wire = None
            while True:
                sku = f"DRAIN-{caller}-{len(asked)}"
                key = f"Idempotency-Key: {sku}"
                asked[sku] = drained.create(key, body=drained.product(sku=sku))
                try:
                    wire = wire or drained.wire(timeout=60)
                except ConnectionRefusedError:
                    return
                try:
                    wire.send(asked[sku])
                    answers[sku] = time.monotonic(), wire.answer()
                except (OSError, EOFError) as error:
                    errors.append(error)
                    return
                if answers[sku][1].closes or caller % 2:
                    wire = wire.__exit__()

        callers = [threading.Thread(target=write, args=[number]) for number in range(12)]
        for caller in callers:
            caller.start()
        while len(answers) < 100:
            time.sleep(0.01)
        drained.server.process.send_signal(signal.SIGTERM)
        readiness, announced = [], []
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                with drained.wire(timeout=60) as wire:
                    wire.send(request("GET", "/health/ready"))
                    readiness.append(wire.answer().status)
                    if readiness[-1] == 503:
                        announced.append(time.monotonic())
        for caller in callers:
            caller.join()
        drained.server.process.wait(timeout=60)

        assert errors == []
        assert {answer.status for _, answer in answers.values()} == {201}
        assert sum(at > announced[0] for at, _ in answers.values()) > 10, "It should have served on."
        assert {200, 503} >= set(readiness)
        assert readiness[-1] == 503
        there = {sku for (sku,) in drained.select("select sku from products where sku like 'DRAIN-%'")}
        assert there == answers.keys()
        drained.server.start()
        for sku, data in [*asked.items()][-40:]:
            again = exchange(drained.port, data)
            assert again.status == 201, again
            assert (again.header("idempotency-replayed") == "true") == (sku in answers)

    def test_interrupt_does_not_wait(self, drained):
        drained.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.6)
        assert drained.exchange("GET", "/health/ready").status == 503
        for worker in psutil.Process(drained.server.process.pid).children():
            worker.send_signal(signal.SIGINT)
        drained.server.process.wait(timeout=15)

    def test_processes_do_not_outlive_the_one_that_started_them(self, drained):
        workers = psutil.Process(drained.server.process.pid).children()
        drained.server.process.kill()
        _, alive = psutil.wait_procs(workers, timeout=15)
        assert alive == []
        with pytest.raises(ConnectionRefusedError):
            drained.wire()
