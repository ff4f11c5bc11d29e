"""File storage: the content of files, in a directory, under random names that are stored in rows."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from uuid import uuid4

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from accord.storage.atomic import PARTIAL_SUFFIX, atomic_write
from db import unit_of_work
from db.models import File, Photo
from db.unit_of_work import run_in_thread

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_BATCH_SIZE = 500
_REFERENCES = (File.storage_key, Photo.storage_key)


class StorageUnavailable(Exception):
    """The content cannot be stored now, because the disk is full or broken. A later retry may succeed."""

    retry_after: Final = 30
    """Seconds."""


class Upload(Protocol):
    """An uploaded file. Its media type comes from its content, not from its name."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def file(self) -> BinaryIO: ...


class StoredFile(Protocol):
    """A row whose content is in the storage."""

    @property
    def storage_key(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(frozen=True)
class StoredContent:
    """Stored content: its name in the storage, size in bytes, and SHA-256 in hexadecimal."""

    storage_key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """A file to send: its path, and the values of its response headers."""

    path: Path
    media_type: str
    name: str
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class Orphans:
    """Number of deleted orphan files, and their size in bytes."""

    files: int
    size: int


class FileStorage:
    """
    A directory of files. A file is created before the row that refers to it, and deleted after it.

    So a crash between the two leaves a file without a row, never a row without its file.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def save(self, session: Session, content: BinaryIO) -> StoredContent:
        """Store the content durably; a rollback of the session's unit of work deletes it. Raises StorageUnavailable.

        The session is not used, so a unit of work that begins with this holds no connection meanwhile.
        """
        storage_key = uuid4().hex
        unit_of_work.on_rollback(session, run_in_thread, self._remove, storage_key)
        return run_in_thread(self._write, storage_key, content)

    def delete(self, session: Session, storage_key: str) -> None:
        """Delete the content after the commit of the session's unit of work."""
        unit_of_work.on_commit(session, run_in_thread, self._remove, storage_key)

    def download(self, stored: StoredFile, name: str) -> Download:
        """Return the download of a row's content, with this file name. The file is not opened."""
        return Download(self._folder / stored.storage_key, stored.media_type, name, stored.sha256, stored.created_at)

    def delete_orphans(self, session: Session, older_than: timedelta) -> Orphans:
        """
        Delete the files without a row that are older than this.

        A file exists before its row is committed, which takes seconds. Its age distinguishes an upload in progress
        from what a crash left, because no request lasts as long as the default of the command line.
        """
        files, size = 0, 0
        candidates = self._last_written_before(time.time() - older_than.total_seconds())
        while batch := dict(islice(candidates, _BATCH_SIZE)):
            references = [select(column).where(column.in_(batch)) for column in _REFERENCES]
            for name in batch.keys() - set(session.scalars(union_all(*references))):
                (self._folder / name).unlink(missing_ok=True)
                files += 1
                size += batch[name]
        return Orphans(files, size)

    def _write(self, storage_key: str, content: BinaryIO) -> StoredContent:
        digest, size = sha256(), 0
        try:
            content.seek(0)
            with atomic_write(self._folder / storage_key) as stream:
                while chunk := content.read(_CHUNK):
                    stream.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            _log.error("An uploaded file cannot be stored: %s", error)
            raise StorageUnavailable("The file cannot be stored at the moment.") from error
        return StoredContent(storage_key, size, digest.hexdigest())

    def _remove(self, storage_key: str) -> None:
        file = self._folder / storage_key
        for path in (file, file.with_suffix(PARTIAL_SUFFIX)):
            path.unlink(missing_ok=True)

    def _last_written_before(self, moment: float) -> Iterator[tuple[str, int]]:
        """Yield name and size of the files written before, one by one, because all may not fit in memory."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # Another process may delete or rename the file.
                    status = entry.stat(follow_symlinks=False)
                    if status.st_mtime <= moment and entry.is_file(follow_symlinks=False):
                        yield entry.name, status.st_size
