"""Header fields in the form of ASGI, and the ones that many responses share."""

from collections.abc import Sequence

RawHeaders = list[tuple[bytes, bytes]]
"""Header fields in the order in which they are sent, with lower-case names."""

NO_STORE: RawHeaders = [(b"cache-control", b"no-store")]
"""The header of responses that no cache may store, such as problems."""


def header_fields(received: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the values of a header section by name. Repeated fields are joined by a comma."""
    headers = dict(received)
    if len(headers) != len(received):
        # Repeated fields are one list (RFC 9110, section 5.3). So two access tokens become one invalid token.
        headers = {}
        for name, value in received:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
