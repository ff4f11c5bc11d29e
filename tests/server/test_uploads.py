"""Files on their way in and out of the running service: what they cost it, and what is left when they stop."""

import re
import time
from pathlib import Path

import httpx
import pytest

from tests.support.databases import KINDS
from tests.support.pictures import pdf
from tests.support.wire import request

MIB = 1024 * 1024
FORM = "Content-Type: multipart/form-data; boundary=b"


@pytest.fixture(scope="module", params=KINDS)
def shop(request, start):
    return start(request.param)


@pytest.fixture
def client(shop):
    with httpx.Client(base_url=shop.base, headers={"Authorization": f"Bearer {shop.token}"}, timeout=60) as client:
        yield client


@pytest.fixture
def store(shop):
    """Say what is in the store: the names of its files."""
    folder = Path(shop.server.environment["ACCORD_DATA_DIR"]) / "files"
    return lambda: {file.name for file in folder.iterdir()}


def form(content, *parts):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.pdf"\r\n\r\n'
    return b"".join([head, content, *parts, b"\r\n--b--\r\n"])


def most_memory(shop):
    """The most memory the service has had at once, in bytes."""
    status = Path(f"/proc/{shop.server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Only Linux tells")
def test_large_files_go_in_and_out_in_little_memory(shop, client):
    def there_and_back(size):
        content = pdf(size)
        file = client.post("/api/v1/files", files={"file": ("large.pdf", content)}).raise_for_status().json()
        assert client.get(file["_links"]["content"]["href"]).content == content
        return most_memory(shop)

    before = there_and_back(2 * MIB)
    assert there_and_back(16 * MIB) - before < 6 * MIB


@pytest.mark.parametrize("farewell", ["hang_up", "__exit__"])
def test_caller_that_leaves_in_the_middle_of_an_upload_leaves_nothing(shop, store, farewell):
    before, body = store(), form(pdf(3 * MIB))
    for sent in (200, 2 * MIB, len(body) - 1):
        wire = shop.wire()
        wire.send(request("POST", "/api/v1/files", shop.authorization, FORM, f"Content-Length: {len(body)}"))
        wire.send(body[:sent])
        time.sleep(0.1)
        getattr(wire, farewell)()
    assert shop.is_alive()
    assert store() == before


def test_upload_that_is_too_large_is_refused_before_it_is_sent(shop, store):
    before = store()
    length = f"Content-Length: {64 * MIB}"
    with shop.wire() as wire:
        wire.send(request("POST", "/api/v1/files", shop.authorization, FORM, length))
        assert wire.answer().status == 413
    assert store() == before


def test_caller_that_leaves_in_the_middle_of_a_download_stops_nobody(shop, client):
    file = client.post("/api/v1/files", files={"file": ("large.pdf", pdf(8 * MIB))}).json()
    where = file["_links"]["content"]["href"]
    descriptors = Path(f"/proc/{shop.server.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        with shop.wire() as wire:
            wire.send(request("GET", where, shop.authorization))
            time.sleep(0.02)
    deadline = time.monotonic() + 5
    while len(list(descriptors.iterdir())) > before + 2:
        assert time.monotonic() < deadline, "The files stay open."
        time.sleep(0.05)
    assert shop.is_alive()
