"""Responses with the content of files: it is streamed, whole or as a byte range, and never held in memory."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from unicodedata import combining, normalize
from urllib.parse import quote

from accord.engine.headers import RawHeaders
from accord.engine.problems import Problem

log = logging.getLogger(__name__)

# Recipients differ in how they read quotes, backslashes and percent signs, and a slash separates folders.
_NOT_QUOTABLE = re.compile(r'[^\x20-\x7e]|["\\/%:*?<>|]')
_CHUNK = 64 * 1024


class FileContent(Protocol):
    """The result of a handler whose response has media types of files."""

    @property
    def path(self) -> Path: ...
    @property
    def media_type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def etag(self) -> str:
        """A string that identifies the content, such as its hash."""

    @property
    def modified_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes of a file from `start` up to, without, `end`. `size` is that of the whole file."""

    path: Path
    start: int
    end: int
    size: int

    def open(self) -> BinaryIO:
        """Return the open file at the start of the range. Raises a 404 Problem if it does not exist."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            raise _missing_file(self.path) from None
        file.seek(self.start)
        return file

    async def chunks(self, file: BinaryIO) -> AsyncIterator[bytes]:
        """Yield the bytes of the range in chunks of 64 KiB. Raises EOFError if the file is too short."""
        left = self.end - self.start
        while left:
            chunk = await asyncio.to_thread(file.read, min(left, _CHUNK))
            if not chunk:
                raise EOFError(f"{self.path} has become shorter while it was sent.")
            left -= len(chunk)
            yield chunk


def whole_file(content: FileContent) -> ByteRange:
    """Return the range of the whole content. Raises a 404 Problem if the file does not exist."""
    try:
        size = content.path.stat().st_size
    except FileNotFoundError:
        raise _missing_file(content.path) from None
    return ByteRange(content.path, 0, size, size)


def headers(content: FileContent) -> RawHeaders:
    """
    Return `Content-Type`, `Content-Disposition` and `Last-Modified` of the content.

    The disposition makes a browser save the file (RFC 6266). The security headers of all responses forbid it to
    guess the media type.
    """
    return [
        (b"content-type", content.media_type.encode()),
        (b"content-disposition", _disposition(content.name)),
        (b"last-modified", format_datetime(last_modified(content.modified_at), usegmt=True).encode()),
    ]


def last_modified(modified_at: datetime) -> datetime:
    """
    Return the value of `Last-Modified` of content that was changed at *modified_at*: the first full second after it.

    Until that second is over, the value is earlier than the change, and so is not yet a validator of this content: a
    precondition compares it with the exact time of the change. So no two states have the same valid date, which RFC
    9110, section 8.8.2.2, requires of a strong validator. Nor is the value later than `Date` (section 8.8.2.1), which
    the server updates once a second.
    """
    second = timedelta(seconds=1)
    full_second = modified_at.replace(microsecond=0)
    if full_second < modified_at:
        full_second += second
    return min(full_second, datetime.now(UTC).replace(microsecond=0) - second)


def _disposition(name: str) -> bytes:
    """Return the disposition with *name*, beside an ASCII name for old clients (RFC 6266, appendix D).

    Letters lose their accents there, and other characters are underscores.
    """
    letters = "".join(each for each in normalize("NFKD", name) if not combining(each))
    fallback = _NOT_QUOTABLE.sub("_", letters)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}".encode()


def _missing_file(path: Path) -> Problem:
    # The row may just have been deleted. If it was not, only the log shows that a file is lost.
    log.warning("The file %s does not exist.", path)
    return Problem(404, "The content no longer exists.")
