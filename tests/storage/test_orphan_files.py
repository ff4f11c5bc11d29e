"""What a crash leaves in the store, and what `delete-orphan-files` makes of it."""

import contextlib
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support.databases import KINDS
from tests.support.pictures import drawn

LOCK = {"sqlite": "begin immediate", "postgresql": "begin; lock table files, photos in exclusive mode"}


class Store:
    """The store of a service of its own, and somebody who uploads."""

    def __init__(self, shop, client):
        self.shop, self.client = shop, client
        self.folder = Path(shop.server.environment["ACCORD_DATA_DIR"]) / "files"

    def names(self):
        return {file.name for file in self.folder.iterdir()}

    def upload(self):
        answer = self.client.post("/files", files={"file": ("shop.png", drawn(), "image/png")})
        return answer.raise_for_status().json()

    def content(self, file):
        return self.client.get(file["_links"]["content"]["href"].removeprefix("/api/v1"))

    def delete_orphans(self, *options):
        return self.shop.server.run("delete-orphan-files", *options).stdout


@pytest.fixture(scope="module", params=KINDS)
def store(request, start):
    shop = start(request.param)
    with httpx.Client(base_url=f"{shop.base}/api/v1", headers={"Authorization": f"Bearer {shop.token}"}) as client:
        yield Store(shop, client)


@pytest.fixture
def crashed(store):
    """Kill the service when the content of an upload is in the store, and its row is not committed."""
    before = store.names()

    def upload():
        with contextlib.suppress(httpx.TransportError):
            store.upload()

    with store.shop.neighbour() as tell:
        tell(LOCK[store.shop.kind])
        uploading = threading.Thread(target=upload)
        uploading.start()
        deadline = time.monotonic() + 10
        while not any(name.isalnum() for name in store.names() - before):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        store.shop.server.process.kill()
        store.shop.server.process.wait()
        uploading.join()
    store.shop.server.start()
    return store.names() - before


def test_what_a_crash_left_is_deleted_and_the_rest_stays(store, crashed):
    kept = store.upload()
    (left,) = crashed
    size = (store.folder / left).stat().st_size
    assert store.delete_orphans("--older-than", "0") == f"Deleted 1 files with {size} bytes.\n"
    assert left not in store.names()
    assert store.content(kept).status_code == 200
    for file in store.client.get("/files").json()["items"]:
        assert store.content(file).status_code == 200
    for customer in store.client.get("/customers").json()["items"]:
        photo = store.client.get(f"/customers/{customer['id']}/photo")
        assert photo.status_code == (200 if customer["photo_url"] else 404)


def test_an_hour_protects_what_is_new(store, crashed):
    assert store.delete_orphans() == "Deleted 0 files with 0 bytes.\n"
    assert crashed <= store.names()
    assert store.delete_orphans("--older-than", "3599").startswith("Deleted 0 ")
    store.delete_orphans("--older-than", "0")
    assert not crashed & store.names()


def test_content_whose_row_went_without_it_is_deleted(store):
    before = store.names()
    file = store.upload()
    (stored,) = store.names() - before
    with store.shop.neighbour() as tell:
        tell(f"delete from files where id = '{file['id']}'")
    store.delete_orphans("--older-than", "0")
    assert stored not in store.names()
