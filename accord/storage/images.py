"""Image files: their size in pixels, read without decoding them."""

import re
from typing import BinaryIO

from PIL import Image

MAX_PIXELS = 40_000_000

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF"}
_LAST_CHUNK_OF_PNG = b"IEND\xae\x42\x60\x82"
# A JPEG marker. In the data between markers, 0xFF is followed by zero or a restart marker.
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_END, _STAND_ALONE = 0xD9, (0x01, 0xD8)


class ImageError(Exception):
    """The image cannot be stored; the message is written for the client."""


def image_size(file: BinaryIO, media_type: str) -> tuple[int, int]:
    """
    Return width and height of a PNG, JPEG or GIF file, in pixels; raises ImageError.

    The image is not decoded, because a small file can hold an image that fills the memory.
    """
    file.seek(0)
    try:
        with Image.open(file, formats=[_FORMATS[media_type]]) as image:
            width, height = image.size
            is_whole = width * height > MAX_PIXELS or _is_whole(image, file)
    except Exception as error:  # The parsers of Pillow raise exceptions of any class.
        raise ImageError("The image file is damaged.") from error
    if not is_whole:
        raise ImageError("The image is truncated.")
    if width * height > MAX_PIXELS:
        raise ImageError(f"The image has more than {MAX_PIXELS} pixels.")
    return width, height


def _is_whole(image: Image.Image, file: BinaryIO) -> bool:
    has_end = _END_CHECKS[str(image.format)]
    image.verify()  # It checks PNG only.
    file.seek(0)
    return has_end(file.read())


def _has_png_end(data: bytes) -> bool:
    return _LAST_CHUNK_OF_PNG in data


def _has_jpeg_end(data: bytes) -> bool:
    """Return whether the chain of segments reaches the end-of-image marker."""
    at = 0
    while marker := _MARKER.search(data, at):
        at = marker.end()
        if marker[1][0] == _END:
            return True
        if marker[1][0] not in _STAND_ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def _has_gif_end(data: bytes) -> bool:
    """Return whether the chain of blocks reaches the trailer."""
    at = 13 + _palette(data[10])
    while (block := data[at : at + 1]) in (b"!", b","):
        at += 2 if block == b"!" else 11 + _palette(data[at + 9])
        while data[at]:
            at += data[at] + 1
        at += 1
    return block == b";"


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_END_CHECKS = {"PNG": _has_png_end, "JPEG": _has_jpeg_end, "GIF": _has_gif_end}
