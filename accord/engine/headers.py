"""Header fields as ASGI has them, and those that many responses share."""

from collections.abc import Sequence

RawHeaders = list[tuple[bytes, bytes]]
"""Header fields in the order they are sent, with lower-case names."""

NO_STORE: RawHeaders = [(b"cache-control", b"no-store")]
"""For what nobody may keep, as problems are."""


def header_fields(received: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the fields of a header section by their names."""
    headers = dict(received)
    if len(headers) != len(received):
        # A field that comes twice is one list (RFC 9110, section 5.3); two tokens so become one that is none.
        headers = {}
        for name, value in received:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
