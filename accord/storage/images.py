"""Photos of customers. They are measured without decoding: a small file can hold a picture that fills the memory."""

import re
from typing import BinaryIO

from PIL import Image
from sqlalchemy.orm import Session

from accord.errors import Invalid
from accord.storage.files import Storage, Upload
from db.models import Photo
from db.unit_of_work import aside

MOST_PIXELS = 40_000_000

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF"}
_LAST_CHUNK_OF_PNG = b"IEND\xae\x42\x60\x82"
# A marker of JPEG; in what lies between them, a zero or a number of restarts follows the 0xFF.
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_END, _STAND_ALONE = 0xD9, (0x01, 0xD8)

# There is one limit, the one above; Pillow would warn at another one, and refuse at a third.
Image.MAX_IMAGE_PIXELS = None


def make(session: Session, storage: Storage, upload: Upload) -> Photo:
    """A photo of nobody yet, whose content is kept; raises Invalid if it is broken or too large to be shown."""
    width, height = aside(_measured, upload.file, upload.media_type)
    stored = storage.keep(session, upload.file)
    return Photo(
        stored_as=stored.stored_as,
        media_type=upload.media_type,
        bytes=stored.bytes,
        sha256=stored.sha256,
        width=width,
        height=height,
    )


def _measured(file: BinaryIO, media_type: str) -> tuple[int, int]:
    file.seek(0)
    try:
        with Image.open(file, formats=[_FORMATS[media_type]]) as picture:
            width, height = picture.size
            is_whole = width * height > MOST_PIXELS or _is_whole(picture, file)
    except Exception as error:  # A parser raises whatever it stumbles over.
        raise Invalid("The picture is broken.", pointer="/photo") from error
    if not is_whole:
        raise Invalid("The picture is broken: its end is missing.", pointer="/photo")
    if width * height > MOST_PIXELS:
        raise Invalid(f"The picture has more than {MOST_PIXELS} pixels.", pointer="/photo")
    return width, height


def _is_whole(picture: Image.Image, file: BinaryIO) -> bool:
    ends = _ENDS[str(picture.format)]
    picture.verify()  # Of a PNG it raises what is wrong; of the others it looks at nothing.
    file.seek(0)
    return ends(file.read())


def _png_ends(data: bytes) -> bool:
    return _LAST_CHUNK_OF_PNG in data


def _jpeg_ends(data: bytes) -> bool:
    """Whether going from segment to segment leads to the end of the picture."""
    at = 0
    while marker := _MARKER.search(data, at):
        at = marker.end()
        if marker[1][0] == _END:
            return True
        if marker[1][0] not in _STAND_ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def _gif_ends(data: bytes) -> bool:
    """Whether going from block to block leads to the trailer."""
    at = 13 + _palette(data[10])
    while (block := data[at : at + 1]) in (b"!", b","):
        at += 2 if block == b"!" else 11 + _palette(data[at + 9])
        while data[at]:
            at += data[at] + 1
        at += 1
    return block == b";"


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_ENDS = {"PNG": _png_ends, "JPEG": _jpeg_ends, "GIF": _gif_ends}
