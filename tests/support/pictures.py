"""Pictures and documents to send, made here: small ones, broken ones, and ones that are too large to be shown."""

import zlib
from io import BytesIO
from struct import pack

from PIL import Image, ImageCms

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "PDF": "application/pdf"}


def drawn(kind="PNG", size=(64, 48), mode="RGB", **options):
    """A file of a kind, full of noise."""
    made = BytesIO()
    Image.effect_noise(size, 80).convert("RGB").convert(mode).save(made, kind, **options)
    return made.getvalue()


def two_pictures(size=(64, 48)):
    """A JPEG with a smaller second picture (CIPA DC-007, multi-picture format), as many cameras write it."""
    made = BytesIO()
    first, second = (Image.effect_noise(each, 80).convert("RGB") for each in (size, (32, 24)))
    first.save(made, "MPO", save_all=True, append_images=[second])
    return made.getvalue()


def with_metadata(kind="JPEG", size=(64, 48)):
    """A picture with a thumbnail of its own kind in its metadata, a colour profile, and notes of 60,000 bytes."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif[0x927C] = drawn(kind, (16, 12)) + bytes(60_000)
    return drawn(kind, size, exif=exif, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


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
