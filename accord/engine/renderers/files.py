"""Content that lies in a file: it is streamed, whole or in part, and never held in memory."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote

from accord.engine.headers import RawHeaders
from accord.engine.problems import Problem

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024


class FileContent(Protocol):
    """What a handler returns for a response whose media types are those of files."""

    @property
    def path(self) -> Path: ...
    @property
    def media_type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def etag(self) -> str:
        """What tells this content from any other, such as its hash."""

    @property
    def modified_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes of a file from `start` to before `end`; `size` is that of the whole file."""

    path: Path
    start: int
    end: int
    size: int

    def open(self) -> BinaryIO:
        """Return the file, at the start of the part; raises a 404 Problem if it is gone."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            raise _missing_file(self.path) from None
        file.seek(self.start)
        return file

    async def chunks(self, file: BinaryIO) -> AsyncIterator[bytes]:
        """Yield the bytes; raises EOFError if the file has become shorter."""
        left = self.end - self.start
        while left:
            chunk = await asyncio.to_thread(file.read, min(left, _CHUNK))
            if not chunk:
                raise EOFError(f"{self.path} is shorter than it was.")
            left -= len(chunk)
            yield chunk


def whole_file(content: FileContent) -> ByteRange:
    """Return all of the content; raises a 404 Problem if it is gone."""
    try:
        size = content.path.stat().st_size
    except FileNotFoundError:
        raise _missing_file(content.path) from None
    return ByteRange(content.path, 0, size, size)


def headers(content: FileContent) -> RawHeaders:
    """
    Return the headers that say what the content is.

    A browser is to keep it (RFC 6266); that it is not to guess what it may be, the edge says of every answer.
    """
    # The server looks at the clock once a second, and nothing may be younger than `Date` (RFC 9110, section 8.8.2.1).
    modified_at = min(content.modified_at, datetime.now(UTC) - timedelta(seconds=1))
    return [
        (b"content-type", content.media_type.encode()),
        (b"content-disposition", f"attachment; filename*=UTF-8''{quote(content.name, safe='')}".encode()),
        (b"last-modified", format_datetime(modified_at, usegmt=True).encode()),
    ]


def _missing_file(path: Path) -> Problem:
    # Somebody may just have deleted it; if nobody has, the log is all that says so.
    log.warning("The content %s is gone.", path)
    return Problem(404, "The content is not there any more.")
