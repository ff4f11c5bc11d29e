"""What the service says while it runs: a line for each request, and errors once."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from accord.telemetry.logs import LogWriter
from tests.support.databases import KINDS
from tests.support.server import ROOT

TRACE = "0af7651916cd43dd8448eb211c80319c"
FIELDS = [
    "time", "level", "logger", "request_id", "trace_id", "operation", "method", "path", "status", "duration_ms",
    "response_bytes", "caller", "client_ip", "problem_type",
]  # fmt: skip


def lines_of(shop):
    """The lines of the log until now; the last one is of a request that is made to know where they end."""
    last = f"/{uuid4()}"
    # What is logged of a request comes before what is logged of the next one.
    shop.exchange("GET", last)
    return shop.server.logged(last)


@pytest.fixture(scope="module", params=KINDS)
def spoken(request, start):
    """A service of which somebody reads the log; tests may break it."""
    shop = start(request.param)
    lines_of(shop)
    return shop


@pytest.fixture
def said(spoken):
    """What was logged while a test runs, once it asks."""
    before = len(lines_of(spoken))
    return lambda: [json.loads(line) for line in lines_of(spoken)[before:-1]]


def test_request_is_one_line(spoken, said):
    answer = httpx.get(f"{spoken.base}/api/v1/auth/me", headers={"Authorization": f"Bearer {spoken.token}"})
    (line,) = said()
    assert list(line) == FIELDS
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["caller"] == answer.json()["id"]
    assert line["response_bytes"] == len(answer.content)
    assert 0 < line["duration_ms"] < 10_000
    told = [line[name] for name in ("level", "operation", "method", "path", "status", "client_ip", "problem_type")]
    assert told == ["info", "get_me", "GET", "/api/v1/auth/me", 200, "127.0.0.1", None]


def test_line_has_the_path_of_the_contract_and_the_type_of_the_problem(spoken, said):
    httpx.get(f"{spoken.base}/api/v1/products/0198f0a2-0000-7000-8000-000000000000")
    (line,) = said()
    assert (line["path"], line["problem_type"]) == ("/api/v1/products/{product_id}", "not-found")


def test_path_that_leads_nowhere_is_logged_as_it_was_sent_without_its_query(spoken, said):
    spoken.exchange("GET", "/nothing%0a%22/" + "x" * 500 + "?password=hidden")
    (line,) = said()
    assert "hidden" not in str(line)
    assert (line["operation"], line["status"], len(line["path"])) == (None, 404, 200)
    assert line["path"].startswith("/nothing%0a%22/xx")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"cc-{TRACE}-b7ad6b7169203331-01-what-comes", TRACE),
        (f"00-{TRACE}-b7ad6b7169203331-01-more", None),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-b7ad6b7169203331", None),
        ("", None),
    ],
)
def test_trace_of_the_caller_is_named_if_it_is_one(spoken, said, given, found):
    answer = spoken.exchange("GET", "/api/v1/tags", f"traceparent: {given}")
    (line,) = said()
    assert line["trace_id"] == found
    assert "traceparent" not in answer.headers


def test_two_traces_are_none(spoken, said):
    spoken.exchange("GET", "/api/v1/tags", *[f"traceparent: 00-{TRACE}-b7ad6b7169203331-0{n}" for n in range(2)])
    assert [line["trace_id"] for line in said()] == [None]


def test_that_all_is_well_is_not_worth_a_line(spoken, said):
    for path in ("/health/live", "/health/ready"):
        assert httpx.get(spoken.base + path).status_code == 200
    assert httpx.post(f"{spoken.base}/health/live").status_code == 405
    assert [line["problem_type"] for line in said()] == ["method-not-allowed"]


def test_what_is_no_http_is_logged_the_same_way(spoken, said):
    with spoken.wire() as wire:
        wire.send(b"nonsense\r\n\r\n")
        answer = wire.answer()
    message = f"Refused a request ({answer.header('x-request-id')}): {answer.json['detail']}"
    assert [(line["level"], line["message"]) for line in said()] == [("info", message)]


def test_failure_is_told_once_with_its_reason_and_its_request(spoken, said):
    with spoken.neighbour() as execute:
        execute("alter table tags rename to labels")
        # No answer to this has been kept.
        url = f"{spoken.base}/api/v1/tags?per_page=37"
        answer = httpx.get(url, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        execute("alter table labels rename to tags")
    assert answer.status_code == 500
    failure, line = said()
    assert failure["level"] == "error"
    assert failure["traceback"].count("Traceback (most recent call last)") >= 1
    assert (failure["operation"], failure["trace_id"]) == ("list_tags", TRACE)
    assert failure["request_id"] == line["request_id"] == answer.json()["request_id"]
    assert (line["status"], line["problem_type"]) == (500, "internal-server-error")


def test_nothing_is_lost_when_the_service_ends(start):
    shop = start("sqlite")
    with httpx.Client(base_url=shop.base) as client:
        for _ in range(50):
            client.get("/api/v1/tags")
    shop.server.stop()
    lines = [json.loads(line) for line in shop.server.log.read_text().splitlines() if line.startswith("{")]
    assert sum(line.get("operation") == "list_tags" for line in lines) == 50
    assert lines[-1]["message"].startswith("Finished server process")


def test_debug_tells_everything_and_warning_no_request(start):
    talkative = start("sqlite", ACCORD_LOG_LEVEL="debug")
    silent = start("sqlite", ACCORD_LOG_LEVEL="warning")
    for shop in (talkative, silent):
        httpx.get(f"{shop.base}/health/live")
        httpx.get(f"{shop.base}/api/v1/tags")
    lines_of(talkative)
    assert '"get_liveness"' in talkative.server.log.read_text()
    assert '"access"' not in silent.server.log.read_text()


def test_terminal_gets_lines_for_people(tmp_path):
    terminal, its_end = os.openpty()
    code = (
        "import logging; from accord.telemetry.logs import configure_logging;"
        "configure_logging('auto', 'info');"
        "logging.getLogger('shop').warning('Amul\\nButter is %s', 'melting')"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=its_end, check=True)
    os.close(its_end)
    assert os.read(terminal, 1000).decode().rstrip().endswith(r"warning shop: Amul\nButter is melting")
    os.close(terminal)


def test_line_for_people_has_what_they_look_for(start):
    shop = start("sqlite", ACCORD_LOG_FORMAT="text")
    answer = httpx.get(f"{shop.base}/api/v1/auth/me")
    line = shop.server.logged(answer.headers["X-Request-Id"])[-1]
    for word in ("401", "GET /api/v1/auth/me get_me unauthorized"):
        assert word in line


def test_reader_who_is_too_slow_holds_nobody_up_and_is_told_what_is_lost(monkeypatch):
    monkeypatch.setattr("accord.telemetry.logs._MAX_QUEUED", 10)
    reader = Stuck()
    lines = LogWriter(reader)
    with lines.buffered():
        lines.put(b"first\n", is_urgent=True)
        assert reader.is_asked.wait(5)
        for number in range(15):
            lines.put(b"%d\n" % number)
        reader.goes_on.set()
    assert not reader.was_waited_for
    assert reader.getvalue().startswith(b"first\n0\n1\n")
    assert b"9\n" in reader.getvalue()
    assert b"5 lines were dropped here" in reader.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Only Linux has a device that is always full.")
def test_log_that_cannot_be_written_raises_nothing_and_says_later_what_is_lost():
    with Path("/dev/full").open("wb", buffering=0) as full:
        lines = LogWriter(full)
        for number in range(3):
            lines.put(b"%d\n" % number)
        lines._file = io.BytesIO()
        lines.put(b"3\n")
    assert lines._file.getvalue().startswith(b"3\n")
    assert b"3 lines were dropped here" in lines._file.getvalue()


class Stuck(io.BytesIO):
    """What is not read until it goes on."""

    def __init__(self):
        super().__init__()
        self.is_asked, self.goes_on = threading.Event(), threading.Event()
        self.was_waited_for = False

    def write(self, data):
        self.is_asked.set()
        self.was_waited_for |= not self.goes_on.wait(5)
        return super().write(data)
