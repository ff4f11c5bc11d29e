"""Parser of `multipart/form-data` bodies: the parts of RFC 7578, in the framing of RFC 2046, section 5.1.1."""

import asyncio
import codecs
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, TypeVar

from python_multipart import MultipartParser as FramingParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from werkzeug.http import parse_options_header as parse_extended_options_header

from accord.engine.problems import Problem

_Argument = TypeVar("_Argument")

_log = logging.getLogger(__name__)

_MAX_PARTS = 1000
_MAX_TEXT_SIZE = 1024 * 1024
_SPOOL_SIZE = 1024 * 1024

# Seconds. A disk that is full stays so for a while.
_RETRY_AFTER = 30

# A delimiter line that is longer than this, with its padding, is not found.
_MAX_DELIMITER_LINE = 1000

_HEADERS = {b"content-disposition", b"content-type", b"content-transfer-encoding"}

# Other codecs of Python are not charsets of forms, and some take quadratic time.
_CHARSETS = {"utf-8", "ascii", "iso8859-1", "cp1252"}
_IDENTITY_ENCODINGS = {b"7bit", b"8bit", b"binary"}


class MultipartError(Exception):
    """The body is not a multipart form; the message is written for the client."""


@dataclass(slots=True)
class FilePart:
    """A part with a file name. `media_type` is the declared one, in lower case, or empty. `size` is in bytes."""

    filename: str
    media_type: str
    file: IO[bytes]
    size: int = 0


@dataclass(slots=True)
class _TextPart:
    name: str
    charset: str
    data: bytearray


class MultipartParser:
    """
    Parses one body into `items`, the names of its parts with text or a FilePart, in their order.

    `files` has the file of each FilePart from its first byte on. The caller closes them, also after an error. The
    content of a file above 1 MiB is on disk.
    """

    def __init__(self, content_type: str) -> None:
        """Raise MultipartError if the media type has no valid boundary."""
        self.items: list[tuple[str, str | FilePart]] = []
        self.files: list[IO[bytes]] = []
        self._boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not self._boundary:
            raise MultipartError("its media type has no boundary.")
        self._is_complete = False
        self._charset = "utf-8"
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._part: _TextPart | FilePart | None = None
        self._writes: list[tuple[FilePart, bytes]] = []

    async def parse(self, chunks: AsyncIterator[bytes]) -> None:
        """Parse the body. Raises MultipartError, and a 503 Problem if the content of a file cannot be written."""
        try:
            parser = FramingParser(
                self._boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._add_to_header_name,
                    "on_header_value": self._add_to_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._add_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
            async for chunk in _from_first_delimiter(chunks, b"--" + self._boundary):
                parser.write(chunk)
                await self._write_files()
        except FormParserError as error:
            raise MultipartError(f"{error}.") from None
        if not self._is_complete:
            raise MultipartError("its end is missing.")
        for _, part in self.items:
            if isinstance(part, FilePart):
                await _run_on_disk(part.size, part.file.seek, 0)

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.lower()
        # Other headers are ignored (RFC 7578, section 4.8).
        if name in _HEADERS:
            if name in self._headers:
                raise MultipartError(f"a part repeats its header {name.decode()}.")
            self._headers[name] = self._header_value
        self._header_name = self._header_value = b""

    def _begin_content(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        kind, options = parse_options_header(disposition)
        if kind != b"form-data" or b"name" not in options:
            raise MultipartError('a part has no header "Content-Disposition: form-data" with a name.')
        name = _decode(options[b"name"], "utf-8")
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").strip(b" \t").lower()
        if encoding not in _IDENTITY_ENCODINGS:
            raise MultipartError(f"the part {name} has a Content-Transfer-Encoding; send it as binary.")
        if len(self.items) >= _MAX_PARTS:
            raise MultipartError(f"it has more than {_MAX_PARTS} parts.")
        media_type, parameters = parse_options_header(self._headers.get(b"content-type", b"").decode("latin-1"))
        if b"filename" in options:
            file = SpooledTemporaryFile(_SPOOL_SIZE)  # noqa: SIM115  # The request closes it.
            self.files.append(file)
            filename = options[b"filename"].decode("utf-8", "replace")
            self._part = FilePart(filename, media_type.decode("latin-1"), file)
            self.items.append((name, self._part))
        elif "filename" in parse_extended_options_header(disposition)[1]:
            raise MultipartError(f"the part {name} has filename* only; send filename (RFC 7578, section 4.2).")
        else:
            charset = parameters.get(b"charset", b"").decode("latin-1")
            self._part = _TextPart(name, _charset(charset) if charset else self._charset, bytearray())

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        match self._part:
            case FilePart() as part:
                self._writes.append((part, data[start:end]))
            case _TextPart(name=name, data=text):
                text += data[start:end]
                if len(text) > _MAX_TEXT_SIZE:
                    raise MultipartError(f"the part {name} has more than {_MAX_TEXT_SIZE} bytes.")

    def _end_part(self) -> None:
        if not isinstance(self._part, _TextPart):
            return
        text = _decode(self._part.data, self._part.charset)
        if self._part.name == "_charset_":
            # The charset of the parts that follow (RFC 7578, section 4.6).
            self._charset = _charset(text)
        else:
            self.items.append((self._part.name, text))

    def _end(self) -> None:
        self._is_complete = True

    async def _write_files(self) -> None:
        for part, data in self._writes:
            part.size += len(data)
            await _run_on_disk(part.size, part.file.write, data)
        self._writes.clear()


async def _from_first_delimiter(chunks: AsyncIterator[bytes], delimiter: bytes) -> AsyncIterator[bytes]:
    """Yield a body without its preamble and without the padding of its first delimiter, as python-multipart needs it.

    Raises MultipartError if there is no delimiter.
    """
    first_line = re.compile(rb"\r\n" + re.escape(delimiter) + rb"[ \t]*(?=[^ \t])")
    # The first delimiter has no line break before it if there is no preamble.
    start, is_found = b"\r\n", False
    async for chunk in chunks:
        if is_found:
            yield chunk
        elif match := first_line.search(start := start + chunk):
            is_found = True
            yield delimiter + start[match.end() :]
        else:
            start = start[-_MAX_DELIMITER_LINE:]
    if not is_found:
        raise MultipartError("its boundary is missing.")


async def _run_on_disk(size: int, function: Callable[[_Argument], object], argument: _Argument) -> None:
    """Call a method of a spooled file of this size: in a thread if the file is on disk. Raises a 503 Problem."""
    if size <= _SPOOL_SIZE:
        function(argument)
        return
    try:
        await asyncio.to_thread(function, argument)
    except OSError as error:
        _log.error("An uploaded file cannot be written to the folder for temporary files: %s", error)
        headers = {"Retry-After": str(_RETRY_AFTER)}
        raise Problem(503, "The upload cannot be stored at the moment.", headers=headers) from error


def _charset(name: str) -> str:
    try:
        charset = codecs.lookup(name).name
    except (LookupError, ValueError):
        charset = ""
    if charset not in _CHARSETS:
        raise MultipartError("it has text in an unknown charset; send UTF-8.")
    return charset


def _decode(data: bytes | bytearray, charset: str) -> str:
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        raise MultipartError(f"it has text that is not in {charset}.") from None
