"""Pictures and documents to send, made here: small ones, broken ones, and ones that are too large to be shown."""

import zlib
from io import BytesIO
from struct import pack

from PIL import Image

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "PDF": "application/pdf"}


def drawn(kind="PNG", size=(64, 48), **options):
    """A file of a kind, full of noise."""
    made = BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(made, kind, **options)
    return made.getvalue()


def png(width, height, data=b"", *, padding=0):
    """A PNG that says it has this size, whatever its data are."""
    header = pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"IDAT", zlib.compress(data)),
        (b"tEXt", b"Comment\0" + b"x" * padding),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(made)) + kind + made + pack(">I", zlib.crc32(kind + made)) for kind, made in chunks
    )


def pdf(size):
    """A PDF of this many bytes."""
    return drawn("PDF").ljust(size, b"\n")
