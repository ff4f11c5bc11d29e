"""Whatever some callers have the service do, the others are served meanwhile."""

import threading
import time
from statistics import median

import pytest

from tests.support.databases import fresh_database
from tests.support.servers import JSON
from tests.support.wire import exchange, request

LOGIN = request("POST", "/api/v1/auth/login", JSON, body=b'{"username":"customer","password":"customer-demo-password"}')


def timed(shop, data):
    started = time.monotonic()
    answer = exchange(shop.port, data)
    assert answer.status < 300, answer
    return time.monotonic() - started


@pytest.fixture(scope="module")
def thorough(start, tmp_path_factory):
    """A service that takes its time for a password; on PostgreSQL, where handlers run on the event loop itself."""
    own = fresh_database("postgresql", tmp_path_factory.mktemp("thorough"))  # Its passwords are as costly, too.
    return start("postgresql", own, ACCORD_PASSWORD_MEMORY_COST="32768", ACCORD_PASSWORD_TIME_COST="4")


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/products?per_page=5"])
def test_others_are_served_while_passwords_are_hashed_and_a_writer_is_busy(thorough, path):
    logins, writes, others = [], [], []
    work = [threading.Thread(target=lambda: logins.append(timed(thorough, LOGIN))) for _ in range(8)]
    busy = thorough.create(body=thorough.product(tags=[f"Tag {number}" for number in range(20)]))
    work.append(threading.Thread(target=lambda: writes.append(timed(thorough, busy))))
    for thread in work:
        thread.start()
    while any(thread.is_alive() for thread in work):
        others.append(timed(thorough, request("GET", path)))
        time.sleep(0.01)
    assert (len(logins), len(writes)) == (8, 1)
    assert len(others) > 3, "The log-ins were too quick to tell."
    assert median(others) < median(logins) / 4
