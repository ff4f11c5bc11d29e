"""Media types of files, detected from the bytes of their content."""

from typing import BinaryIO

# The signatures of the WHATWG MIME Sniffing standard, section 6. They have precedence over puremagic, whose signatures
# for JPEG include those of JPEG 2000 and of plain text, and are outweighed by chance matches within the image.
_SIGNATURES = {
    "application/pdf": (b"%PDF-",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
}
# PDF readers accept bytes before the header, if it is within the first 1,024 (ISO 32000-1, annex H, note 13).
_MAX_PDF_HEADER_END = 1024
# Four bytes of a signature or more, in the measure of puremagic: fewer occur by chance in text.
_CERTAIN = 0.4
_BINARY = ("application/", "audio/", "image/", "video/")


def detect_media_types(file: BinaryIO) -> list[str]:
    """Return the media types that the content of *file* can have; several have the same signature.

    The list is empty if there is no signature, as in text. The file is read from its start, where it is left.
    """
    head = file.read(_MAX_PDF_HEADER_END)
    file.seek(0)
    for media_type, signatures in _SIGNATURES.items():
        if head.startswith(signatures):
            return [media_type]
    from puremagic import PureError, magic_stream  # noqa: PLC0415  # It reads all signatures, and few files need them.

    try:
        matches = magic_stream(file)
    except (PureError, ValueError):
        matches = []
    finally:
        file.seek(0)
    # A negative offset is one from the end of the file.
    matches = [match for match in matches if match.offset >= 0 and match.mime_type not in _SIGNATURES]
    if b"%PDF-" in head and not any(
        match.offset == 0 and match.confidence >= _CERTAIN and match.mime_type.startswith(_BINARY) for match in matches
    ):
        return ["application/pdf"]
    return [match.mime_type for match in matches if match.confidence == matches[0].confidence]
