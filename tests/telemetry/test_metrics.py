"""What the service has counted, as Prometheus and operators read it."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accord.engine.context import RequestContext
from accord.telemetry.history import INTERVAL, History, summarize
from accord.telemetry.metrics import DURATION_BUCKETS, IN_FLIGHT, POOL_WAITS, Metrics, merge
from tests.support.databases import KINDS
from tests.support.server import _free_port

SOON = 2.5
"""Seconds after which all processes know what one of them has counted."""


@pytest.fixture(scope="module", params=KINDS)
def counted(request, start):
    """A service of two processes, whose metrics are on a port of their own as well."""
    return start(request.param, ACCORD_WORKERS="2", ACCORD_METRICS_PORT=str(_free_port()))


def samples(text):
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def asked(shop):
    headers = {"Authorization": f"Bearer {shop.token}"}
    return samples(httpx.get(f"{shop.base}/metrics", headers=headers).raise_for_status().text)


def requests_to(found, operation):
    return sum(n for key, n in found.items() if key[0] == "accord_http_requests_total" and operation in key)


def test_processes_count_together_by_operation_and_never_by_path(counted):
    def ask(number):
        return httpx.get(f"{counted.base}/api/v1/products/{'0198f0a2-0000-7000-8000-' + str(number).zfill(12)}")

    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(ask, range(100))} == {404}
    httpx.get(f"{counted.base}/nothing/here")
    time.sleep(SOON)
    found = asked(counted)
    assert requests_to(found, "get_product") == 100
    assert found["accord_http_request_duration_seconds_count", "GET", "get_product"] == 100
    assert found["accord_http_request_duration_seconds_bucket", "+Inf", "GET", "get_product"] == 100
    assert 0 < found["accord_http_request_duration_seconds_sum", "GET", "get_product"] < 100
    assert found["accord_problems_total", "not-found"] == 101
    assert found["accord_worker_processes",] == 2
    assert found["accord_http_requests_in_flight",] == 1
    assert found["accord_database_pool_size", "read"] == 20
    assert not any("/" in part for key in found for part in key)


def test_port_of_its_own_asks_for_no_credentials(counted):
    httpx.get(f"{counted.base}/api/v1/tags")
    time.sleep(SOON)
    alone = httpx.get(f"http://127.0.0.1:{counted.server.environment['ACCORD_METRICS_PORT']}/metrics")
    assert requests_to(samples(alone.text), "list_tags") == requests_to(asked(counted), "list_tags") >= 1
    assert httpx.get(f"{counted.base}/metrics").status_code == 401


def test_what_a_process_has_counted_outlives_it(counted):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: httpx.get(f"{counted.base}/api/v1/categories"), range(40)))
    time.sleep(SOON)
    before = requests_to(asked(counted), "list_categories")
    assert before >= 40
    children = psutil.Process(counted.server.process.pid).children()
    os.kill(max(child.pid for child in children), signal.SIGKILL)
    for _ in range(60):
        time.sleep(0.5)
        try:
            found = asked(counted)
        except httpx.TransportError:
            continue
        if found["accord_worker_processes",] == 2:
            break
    assert requests_to(found, "list_categories") == before


def test_methods_that_nobody_knows_are_one(start):
    shop = start("sqlite")
    for method in ("PROPFIND", "SEARCH", "TRACE"):
        shop.exchange(method, "/nothing")
    time.sleep(SOON)
    found = asked(shop)
    assert found["accord_http_requests_total", "other", "none", "404"] == 3


def test_last_hour_has_a_sample_every_ten_seconds():
    clock = Clock()
    waits = {"": 0}
    metrics = Metrics({IN_FLIGHT: lambda: {"": clock.now % 7}, POOL_WAITS: lambda: waits})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accord.telemetry.history.time", clock)
        history = History(metrics)
        for second in range(25):
            metrics.record(over(status=200 if second % 2 else 404, seconds=0.015))
            waits[""] += 1
            clock.now += 1
            history.sample()
        told = summarize(history.samples(), processes=1)
    first, second = told["samples"]
    assert (told["step"], second["at"].timestamp() - first["at"].timestamp()) == (INTERVAL, INTERVAL)
    assert (first["requests"], first["refused"], first["failed"], first["pool_waits"]) == (1, 0.5, 0, 1)
    assert 10 < first["p50"] < first["p95"] < first["p99"] < 20
    assert first["in_flight"] == 6
    assert first["p99"] == second["p99"]


def test_nothing_that_happened_took_no_time():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accord.telemetry.history.time", clock := Clock())
        history = History(Metrics({}))
        clock.now += INTERVAL
        history.sample()
        (sample,) = summarize(history.samples(), processes=1)["samples"]
    assert (sample["requests"], sample["p50"], sample["p99"]) == (0, None, None)


def test_two_processes_are_added_up_whatever_only_one_has_seen():
    one, other = Metrics({}), Metrics({})
    one.record(over(status=200, seconds=0.3))
    other.record(over(status=200, seconds=DURATION_BUCKETS[-1] + 1))
    other.record(over(status=500, seconds=0))
    together = merge(one.snapshot(), other.snapshot())
    assert together["number"] == {"none GET 200": 2, "none GET 500": 1}
    assert sum(together["buckets"]["none GET"]) == 3
    assert together["processes"] == 2


class Clock:
    def __init__(self):
        self.now = 1_000_000

    def __call__(self):
        return self.now


def over(*, status, seconds):
    """The context of a request that is over."""
    made = RequestContext("GET")
    made.status, made.duration = status, seconds
    return made
