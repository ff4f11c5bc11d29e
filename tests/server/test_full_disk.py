"""A full disk: what cannot be stored is refused with the time to retry, leaves nothing behind, and all else goes on."""

import json
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.databases import KINDS
from tests.support.pictures import drawn, pdf
from tests.support.server import demo_shop
from tests.support.servers import Shop

MIB = 1024 * 1024
BALLAST = "ballast"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A file system of 16 MiB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = shutil.which("mount")
    if not mount:
        pytest.skip("A small file system needs the program mount.")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"A small file system cannot be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module", params=KINDS)
def shop(request, disk):
    """A service whose files, temporary files, log and database, if it is SQLite, are on that disk."""
    for folder in disk.iterdir():
        shutil.rmtree(folder)
    folder = disk / request.param
    folder.joinpath("temporary").mkdir(parents=True)
    server = demo_shop(request.param, folder, TMPDIR=str(folder / "temporary"))
    yield Shop(server)
    server.stop()


@pytest.fixture
def client(shop):
    with httpx.Client(base_url=shop.base, headers={"Authorization": f"Bearer {shop.token}"}, timeout=60) as client:
        yield client


@pytest.fixture
def fill(disk):
    """Fill the disk, but for as many bytes as are named; at the end of the test it has space again."""
    ballast = disk / BALLAST

    def fill(rest=0):
        ballast.write_bytes(bytes(rest))
        with suppress(OSError), (disk / "more").open("wb", buffering=0) as more:
            while True:
                more.write(bytes(4096))
        ballast.unlink()

    yield fill
    (disk / "more").unlink(missing_ok=True)


def files_of(folder):
    return sorted(str(file) for name in ("data/files", "temporary") for file in (folder / name).rglob("*"))


def assert_unavailable(answer):
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0


def product(shop):
    return {"content": shop.product(description="x" * 900), "headers": {"Content-Type": "application/json"}}


@pytest.mark.parametrize("size", [20_000, 3 * MIB])
@pytest.mark.parametrize("rest", [0, 8192])
def test_upload_to_a_full_disk_is_refused_and_leaves_nothing(shop, client, fill, size, rest):
    """The content is longer than what is left; above 1 MiB it is in a temporary file first."""
    folder = shop.server.log.parent
    customer = client.post("/api/v2/customers", json={"name": "Asha", "email": f"{size}.{rest}@shop.example"})
    before, total = files_of(folder), client.get("/api/v1/files").json()["total"]
    fill(rest)
    for _ in range(3):
        assert_unavailable(client.post("/api/v1/files", files={"file": ("receipt.pdf", pdf(size))}))
    photo = drawn("JPEG") + bytes(min(size, MIB))
    assert_unavailable(client.put(f"{customer.headers['Location']}/photo", files={"photo": ("photo.jpg", photo)}))
    assert files_of(folder) == before
    assert client.get("/api/v1/files").json()["total"] == total


def test_service_on_a_full_disk_says_so_and_goes_on(shop, client, fill):
    assert client.get("/health/ready").json()["checks"]["disk"] == "ok"
    fill()
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "disk of the files is full" in ready.json()["checks"]["disk"]
    for _ in range(200):
        assert client.get("/api/v1/products").status_code == 200
        created = client.post("/api/v1/products", **product(shop))
        if created.status_code != 201:
            break
    if shop.kind == "sqlite":
        assert_unavailable(created)
    else:
        assert created.status_code == 201
    time.sleep(0.5)  # The log is written meanwhile, or is not.
    assert client.get("/api/v1/products").status_code == 200


def test_service_works_again_when_the_disk_has_space(shop, client, fill, disk):
    fill()
    assert_unavailable(client.post("/api/v1/files", files={"file": ("receipt.pdf", pdf(3 * MIB))}))
    for _ in range(50):
        client.get("/api/v1/products?per_page=1")
    time.sleep(1.5)  # The log and the metrics are written meanwhile, or are not.
    (disk / "more").unlink()
    assert client.get("/health/ready").json()["status"] == "ok"
    assert client.post("/api/v1/products", **product(shop)).status_code == 201
    created = client.post("/api/v1/files", files={"file": ("receipt.pdf", pdf(3 * MIB))})
    assert created.status_code == 201
    last = client.get("/api/v1/tags").headers["X-Request-Id"]
    lines = shop.server.logged(last)
    assert json.loads(lines[-1])["operation"] == "list_tags"
    assert any("lines were dropped here" in line for line in lines)
    client.delete(created.headers["Location"])


def test_file_that_cannot_be_written_is_a_503_and_the_log_has_the_reason(shop, client):
    """A folder that is gone is as unavailable as a full disk."""
    folder = Path(shop.server.environment["ACCORD_DATA_DIR"]) / "files"
    folder.rename(folder.with_name("elsewhere"))
    try:
        assert_unavailable(client.post("/api/v1/files", files={"file": ("receipt.pdf", pdf(2_000))}))
        assert shop.server.logged("cannot be stored: [Errno 2]")
    finally:
        folder.with_name("elsewhere").rename(folder)
