"""Sizes of images: read from files as devices and programs write them, refused for those that are not whole."""

from io import BytesIO

import pytest
from PIL import Image

from accord.storage.images import ImageError, image_size
from tests.support.pictures import MEDIA_TYPES, drawn, png, two_pictures, with_metadata


def animated(kind):
    """A file of three pictures that are shown one after the other."""
    first, *others = (Image.effect_noise((64, 48), 80).convert("RGB") for _ in range(3))
    made = BytesIO()
    first.save(made, kind, save_all=True, append_images=others)
    return made.getvalue()


PICTURES = {
    "two pictures": ("JPEG", two_pictures()),
    "progressive": ("JPEG", drawn("JPEG", progressive=True)),
    "grey": ("JPEG", drawn("JPEG", mode="L")),
    "CMYK of Adobe": ("JPEG", drawn("JPEG", mode="CMYK")),
    "restart markers": ("JPEG", drawn("JPEG", restart_marker_blocks=1)),
    "metadata with a thumbnail": ("JPEG", with_metadata("JPEG")),
    "JPEG with a comment": ("JPEG", drawn("JPEG", comment=b"\xff\xd9" * 9)),
    "JPEG with fill bytes": ("JPEG", drawn("JPEG").replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)),
    "JPEG without JFIF": ("JPEG", b"\xff\xd8" + drawn("JPEG")[20:]),
    "palette": ("PNG", drawn("PNG", mode="P")),
    "PNG with metadata": ("PNG", with_metadata("PNG")),
    "animated PNG": ("PNG", animated("PNG")),
    "animated GIF": ("GIF", animated("GIF")),
    "interlaced GIF": ("GIF", drawn("GIF", interlace=1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_has_the_size_of_its_first_image(name):
    kind, content = PICTURES[name]
    with Image.open(BytesIO(content)) as image:
        assert image.size == image_size(BytesIO(content), MEDIA_TYPES[kind]) == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("after", [b"\0" * 500, b"\n", b"MotionPhoto_Data", drawn("JPEG")])
def test_bytes_after_a_picture_are_ignored(kind, after):
    """Phones append videos, and mail programs line breaks."""
    assert image_size(BytesIO(drawn(kind) + after), MEDIA_TYPES[kind]) == (64, 48)


@pytest.mark.parametrize("name", PICTURES)
def test_picture_that_ends_within_its_first_image_is_refused(name):
    kind, content = PICTURES[name]
    end = content.index(b"\xff\xd9", content.index(b"\xff\xda")) if name == "two pictures" else len(content) - 1
    for length in (3, 12, 30, end // 2, end):
        with pytest.raises(ImageError):
            image_size(BytesIO(content[:length]), MEDIA_TYPES[kind])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(0, 48), "PNG"),
        (png(64, 48).replace(b"IDAT", b"iDAT"), "PNG"),
        (png(64, 48)[:8] + png(64, 48)[33:], "PNG"),
        (b"\xff\xd8\xff\xe0\0\4xx\xff\xd9", "JPEG"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\0\0\0\x40\1\1\x11\0\xff\xda\0\2\xff\xd9", "JPEG"),
        (b"\xff\xd8\xff" + b"nonsense" * 99, "JPEG"),
        (b"GIF89a\x40\0\x30\0\0\0\0;", "GIF"),
    ],
)
def test_file_without_an_image_is_refused(content, kind):
    with pytest.raises(ImageError):
        image_size(BytesIO(content), MEDIA_TYPES[kind])


def test_screen_of_a_gif_contains_its_first_image():
    content = bytearray(drawn("GIF"))
    content[6:10] = bytes(4)
    assert image_size(BytesIO(content), "image/gif") == (64, 48)


def test_file_that_cannot_be_read_is_not_called_broken():
    class Unreadable(BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        image_size(Unreadable(), "image/png")
