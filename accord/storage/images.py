"""
Image files: their size in pixels, read from their structure without decoding them.

Pillow is not used: without decoding, it accepts truncated files, and it names a JPEG with a second picture differently.
"""

import re
import struct
from struct import unpack_from
from typing import BinaryIO
from zlib import crc32

MAX_PIXELS = 40_000_000

_PNG_SIGNATURE_SIZE = 8
_GIF_HEADER_SIZE = 13
# A JPEG marker. In the data between markers, 0xFF is followed by zero or a restart marker.
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_END, _START_OF_SCAN, _STAND_ALONE = 0xD9, 0xDA, (0x01, 0xD8)
# 0xC4, 0xC8 and 0xCC are no frame headers (ITU-T T.81, table B.1).
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


class ImageError(Exception):
    """The image cannot be stored; the message is written for the client."""


def image_size(file: BinaryIO, media_type: str) -> tuple[int, int]:
    """
    Return width and height of a PNG, JPEG or GIF file, in pixels; raises ImageError.

    The image is not decoded, because a small file can hold an image that fills the memory. In a file of several images,
    such as a JPEG with a second picture (MPO), which many cameras write, the first one counts. Bytes after the end of
    the image are ignored, as viewers ignore them.
    """
    file.seek(0)
    data = file.read()
    try:
        width, height = _READERS[media_type](data)
    except (struct.error, IndexError):  # The data end before the structure does.
        raise ImageError("The image is truncated.") from None
    if not width or not height:
        raise ImageError("The image file is damaged: it has no size.")
    if width * height > MAX_PIXELS:
        raise ImageError(f"The image has more than {MAX_PIXELS} pixels.")
    return width, height


def _png_size(data: bytes) -> tuple[int, int]:
    """Read the chunks up to IEND, and compare their checksums (PNG, section 5)."""
    at = _PNG_SIGNATURE_SIZE
    kinds: set[bytes] = set()
    while b"IEND" not in kinds:
        length, kind = unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = unpack_from(">I", data, end)
        if crc32(data[at + 4 : end]) != checksum or (not kinds and kind != b"IHDR"):
            raise ImageError("The image file is damaged.")
        kinds.add(kind)
        at = end + 4
    if b"IDAT" not in kinds:
        raise ImageError("The image file is damaged: it has no image data.")
    width, height = unpack_from(">II", data, _PNG_SIGNATURE_SIZE + 8)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Read the segments up to the end-of-image marker (ITU-T T.81, section B.1)."""
    at, size, has_scan = 0, None, False
    while marker := _MARKER.search(data, at):
        code, at = marker[1][0], marker.end()
        if code == _END:
            break
        if code in _STAND_ALONE:
            continue
        if code in _FRAME_HEADERS and size is None:
            size = unpack_from(">HH", data, at + 3)
        has_scan = has_scan or code == _START_OF_SCAN
        at += unpack_from(">H", data, at)[0]
    else:
        raise ImageError("The image is truncated.")
    if size is None or not has_scan:
        raise ImageError("The image file is damaged: it has no image data.")
    height, width = size
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    """Read the blocks up to the trailer (GIF89a, section 17 to 27). The screen contains the first image at least."""
    width, height, flags = unpack_from("<HHB", data, 6)
    at, has_image = _GIF_HEADER_SIZE + _palette_size(flags), False
    while (block := data[at : at + 1]) in (b"!", b","):
        if block == b",":
            left, top, image_width, image_height, flags = unpack_from("<HHHHB", data, at + 1)
            if not has_image:
                width, height = max(width, left + image_width), max(height, top + image_height)
            has_image = True
            at += 11 + _palette_size(flags)
        else:
            at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    if block != b";":
        raise ImageError("The image is truncated.")
    if not has_image:
        raise ImageError("The image file is damaged: it has no image data.")
    return width, height


def _palette_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_READERS = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/gif": _gif_size}
