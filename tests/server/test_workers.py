"""Several server processes are one service."""

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.databases import KINDS
from tests.support.server import PATIENCE
from tests.support.servers import JSON
from tests.support.wire import request

ME = "/api/v1/auth/me"
SOON = 1.0
"""Seconds after which all processes know what one of them did."""


class Worker:
    """One process of the service: a connection stays with the process that took it."""

    def __init__(self, wire):
        self._wire = wire

    def ask(self, method, target, *lines, body=None):
        self._wire.send(request(method, target, *lines, body=body))
        return self._wire.answer()


@pytest.fixture(scope="module", params=KINDS)
def busy(request, start):
    """A service of two processes."""
    return start(request.param, ACCORD_WORKERS="2")


@pytest.fixture
def connect(busy):
    """Make so many connections that each process has some."""
    with contextlib.ExitStack() as open_ones:
        yield lambda: [Worker(open_ones.enter_context(busy.wire())) for _ in range(12)]


@pytest.fixture
def connections(connect):
    return connect()


def at_once(workers, *asked, **options):
    """The answers to the same request, put to all connections at the same time."""
    with ThreadPoolExecutor(len(workers)) as pool:
        return [*pool.map(lambda worker: worker.ask(*asked, **options), workers)]


def bearer(pair):
    return f"Authorization: Bearer {pair['access_token']}"


def test_all_processes_take_a_token_that_one_of_them_made(busy, connections):
    token = bearer(busy.log_in("customer"))
    assert {worker.ask("GET", ME, token).status for worker in connections} == {200}


def test_end_of_a_session_is_known_at_once_where_it_ended_and_soon_everywhere(busy, connections):
    for worker in connections:
        token = bearer(busy.log_in("customer"))
        assert {other.ask("GET", ME, token).status for other in connections} == {200}
        assert worker.ask("POST", "/api/v1/auth/logout", token, body=b"").status == 204
        ended = time.monotonic()
        assert worker.ask("GET", ME, token).status == 401
        if worker is connections[0]:
            time.sleep(max(0, ended + SOON - time.monotonic()))
            assert {other.ask("GET", ME, token).status for other in connections} == {401}


def test_cursor_of_one_process_goes_on_in_the_others(busy, connections):
    seen, target = [], "/api/v1/products?cursor=*&per_page=1"
    for worker in connections:
        page = worker.ask("GET", target).json
        seen += [item["sku"] for item in page["items"]]
        if "next" not in page["_links"]:
            break
        target = page["_links"]["next"]["href"]
    assert len(seen) == len(set(seen)) > 3


def test_twins_in_different_processes_have_one_effect(busy, connections):
    for number in range(5):
        body, key = busy.product(), f"Idempotency-Key: twins-{number:04}"
        answers = at_once(connections, "POST", "/api/v1/products", busy.authorization, JSON, key, body=body)
        assert {answer.status for answer in answers} <= {201, 409}
        assert len({answer.json["id"] for answer in answers if answer.status == 201}) == 1


def test_rotated_keys_log_nobody_out_and_are_taken_up_by_all(busy, connect):
    old = busy.log_in("customer")
    cursor = connect()[0].ask("GET", "/api/v1/products?cursor=*&per_page=1").json["_links"]["next"]["href"]
    rotated = busy.server.run("signing-keys", "rotate").stdout
    time.sleep(SOON)
    connections = connect()
    keys = [worker.ask("GET", "/.well-known/jwks.json").json for worker in connections]
    assert all(found == keys[0] for found in keys)
    assert keys[0]["keys"][0]["kid"] in rotated
    new = [busy.log_in("customer") for _ in range(4)]
    for worker in connections:
        assert {worker.ask("GET", ME, bearer(pair)).status for pair in [old, *new]} == {200}
        assert worker.ask("GET", cursor).status == 200
    answer = httpx.post(f"{busy.base}/api/v1/auth/refresh", json={"refresh_token": old["refresh_token"]})
    assert answer.status_code == 200
    heads = {pair["access_token"].partition(".")[0] for pair in [old, *new]}
    assert len(heads) == 2


def refresh(connections, pair):
    body = f'{{"refresh_token":"{pair["refresh_token"]}"}}'.encode()
    return at_once(connections, "POST", "/api/v1/auth/refresh", JSON, body=body)


def test_refresh_token_used_at_once_in_all_processes_has_one_successor(busy, connections):
    answers = refresh(connections, busy.log_in("customer"))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert {worker.ask("GET", ME, bearer(answers[0].json)).status for worker in connections} == {200}


def test_refresh_token_used_after_its_successor_ends_the_session_in_all_processes(busy, connections):
    first = busy.log_in("customer")
    second = refresh(connections, first)[0].json
    third = refresh(connections, second)[0].json
    assert {answer.status for answer in refresh(connections, first)} == {401}
    time.sleep(SOON)
    for pair in (first, second, third):
        assert {worker.ask("GET", ME, bearer(pair)).status for worker in connections} == {401}


def is_worker(process):
    try:
        # SIGHUP starts new programs, and `multiprocessing` then starts one that tracks resources.
        return "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def pids_of_workers(shop):
    return {child.pid for child in psutil.Process(shop.server.process.pid).children() if is_worker(child)}


def wait_for_workers(shop, *, without):
    """The workers, as soon as there are two that are none of these, and the service answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        workers = pids_of_workers(shop)
        if len(workers) == 2 and not workers & without:
            assert httpx.get(f"{shop.base}/health/ready", timeout=PATIENCE).status_code == 200
            return workers
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux lists memory in /proc")
def test_workers_share_most_of_their_memory(busy):
    for pid in pids_of_workers(busy):
        lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
        size = {name.rstrip(":"): int(kilobytes) for name, kilobytes, *_ in lines}
        assert size["Shared_Clean"] + size["Shared_Dirty"] > size["Private_Clean"] + size["Private_Dirty"]


def test_killed_worker_is_replaced(busy):
    before = pids_of_workers(busy)
    killed = before.pop()
    os.kill(killed, signal.SIGKILL)
    assert before < wait_for_workers(busy, without={killed})


def test_hangup_replaces_workers_by_new_programs(busy):
    before = pids_of_workers(busy)
    busy.server.process.send_signal(signal.SIGHUP)
    after = wait_for_workers(busy, without=before)
    # A forked worker has the command line of its supervisor.
    assert all("spawn_main" in " ".join(psutil.Process(pid).cmdline()) for pid in after)


def test_all_processes_end_when_the_service_does(busy):
    busy.server.stop()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{busy.base}/health/live")
