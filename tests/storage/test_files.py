"""The store: content comes and goes with the rows that name it."""

import asyncio
import errno
import os
import time
import tracemalloc
from datetime import timedelta
from hashlib import sha256
from io import BytesIO

import pytest
from sqlalchemy.orm.exc import StaleDataError

from accord.errors import NotFound
from accord.storage.atomic import atomic_write
from accord.storage.files import FileStorage, Orphans
from db.models import File
from services import files
from tests.db.catalogue import meanwhile
from tests.support.pictures import drawn

HOUR = timedelta(hours=1)
AT_ONCE = timedelta(0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def storage(folder):
    return FileStorage(folder)


@pytest.fixture
def owner(service):
    return service.register().id


class Upload:
    name, media_type = "receipt.pdf", "application/pdf"

    def __init__(self, content=b"%PDF-1.7"):
        self.file = BytesIO(content)


class Broken(BytesIO):
    """Content that ends with an error."""

    def read(self, size=-1):
        return super().read(size) or 1 / 0


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_write_that_fails_leaves_the_file_there_was_and_nothing_else(tmp_path):
    file = tmp_path / "keys.json"
    file.write_bytes(b"old")

    def fail():
        with atomic_write(file) as stream:
            stream.write(b"new")
            raise OSError(errno.ENOSPC, "The disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert (names(tmp_path), file.read_bytes()) == (["keys.json"], b"old")


def aged(folder, name, seconds):
    os.utime(folder / name, (time.time() - seconds,) * 2)


def test_content_is_kept_under_a_name_of_its_own_for_its_owner_only(service, storage, folder):
    content = drawn()
    stored = service(storage.save, BytesIO(content))
    assert names(folder) == [stored.storage_key]
    file = folder / stored.storage_key
    assert (file.read_bytes(), stored.size, stored.sha256) == (content, len(content), sha256(content).hexdigest())
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_content_is_kept_from_its_beginning(service, storage, folder):
    content = BytesIO(b"content")
    content.read()
    assert service(storage.save, content).size == len(b"content")


def test_rolled_back_unit_leaves_nothing(service, storage, folder):
    def fail(session):
        storage.save(session, BytesIO(b"content"))
        assert len(names(folder)) == 1
        raise LookupError

    with pytest.raises(LookupError):
        service(fail)
    assert names(folder) == []


def test_content_that_cannot_be_read_leaves_nothing(service, storage, folder):
    with pytest.raises(ZeroDivisionError):
        service(storage.save, Broken(b"content"))
    assert names(folder) == []


def test_unit_that_is_done_again_keeps_one(service, storage, folder):
    content, tries = BytesIO(b"content"), []

    def stale_at_first(session):
        tries.append(storage.save(session, content))
        if len(tries) == 1:
            raise StaleDataError
        return tries[-1]

    stored = service(stale_at_first)
    assert (len(tries), names(folder), stored.size) == (2, [stored.storage_key], len(b"content"))


def test_dropped_content_is_removed_once_that_is_committed(service, storage, folder):
    stored = service(storage.save, BytesIO(b"content"))

    def drop(session, ending=None):
        storage.delete(session, stored.storage_key)
        assert len(names(folder)) == 1
        if ending:
            raise ending

    with pytest.raises(LookupError):
        service(drop, LookupError)
    assert len(names(folder)) == 1
    service(drop)
    assert names(folder) == []


def test_row_and_content_go_together(service, storage, folder, owner):
    file = service(files.create, storage, owner, file=Upload())
    assert len(names(folder)) == 1
    service(files.delete, storage, owner, file["id"])
    assert names(folder) == []
    with pytest.raises(NotFound):
        service(files.download, storage, owner, file["id"])


def test_large_content_takes_little_memory(service, storage, tmp_path):
    with (tmp_path / "large").open("w+b") as large:
        large.truncate(64 * 1024 * 1024)
        tracemalloc.start()
        try:
            assert service(storage.save, large).size == 64 * 1024 * 1024
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


class TestSweep:
    def test_what_no_row_names_is_removed_and_counted(self, service, storage, folder, owner):
        kept = service(files.create, storage, owner, file=Upload())
        named = names(folder)
        for number in range(1_200):
            (folder / f"orphan{number}").write_bytes(b"12345")
        (folder / "torn.part").write_bytes(b"1")
        assert service(storage.delete_orphans, AT_ONCE) == Orphans(1_201, 6_001)
        assert names(folder) == named
        assert service(files.download, storage, owner, kept["id"]).path.read_bytes() == b"%PDF-1.7"
        assert service(storage.delete_orphans, AT_ONCE) == Orphans(0, 0)

    def test_young_files_stay(self, service, storage, folder):
        for name, seconds in (("young", 3_500), ("old", 3_700), ("young.part", 3_500), ("old.part", 3_700)):
            (folder / name).touch()
            aged(folder, name, seconds)
        service(storage.delete_orphans, HOUR)
        assert names(folder) == ["young", "young.part"]

    def test_what_is_about_to_be_committed_stays(self, service, storage, folder, owner):
        """Orphans are deleted when the content exists, and its row does not yet."""

        def upload(loop, session):
            stored = storage.save(session, BytesIO(b"content"))
            orphans = meanwhile(service.database.run("read", lambda unit: storage.delete_orphans(unit, HOUR)), loop)
            known = {"storage_key": stored.storage_key, "bytes": stored.size, "sha256": stored.sha256}
            session.add(File(name="x", name_key="x", media_type="application/pdf", owner_id=owner, **known))
            return orphans

        async def story():
            return await service.database.run("write", upload, asyncio.get_running_loop())

        assert service.runner.run(story()) == Orphans(0, 0)
        assert len(names(folder)) == 1

    def test_directories_and_links_are_not_the_stores(self, service, storage, folder, tmp_path):
        (folder / "lost+found").mkdir()
        (tmp_path / "elsewhere").touch()
        (folder / "link").symlink_to(tmp_path / "elsewhere")
        assert service(storage.delete_orphans, AT_ONCE) == Orphans(0, 0)
        assert names(folder) == ["link", "lost+found"]
