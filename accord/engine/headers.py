"""Header fields in the form of ASGI, and the ones that many responses share."""

from collections.abc import Sequence

RawHeaders = list[tuple[bytes, bytes]]
"""Header fields in the order in which they are sent, with lower-case names."""

NO_STORE: RawHeaders = [(b"cache-control", b"no-store")]
"""The header of responses that no cache may store, such as problems."""

REQUEST_HEADERS = (
    "Accept",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
    "traceparent",
    "tracestate",
    "X-API-Version",
    "X-Request-Id",
)
"""The header fields that the service reads on every path, whether an operation declares them or not. Clients can send
them from any origin that may read the responses. A test finds what the code reads."""


class ReceivedHeaders(list[tuple[bytes, bytes]]):
    """The header section of a request."""

    __slots__ = ("fields",)

    fields: dict[bytes, bytes]
    """The values by name, as `header_fields` returns them. All that read the request share them."""

    def complete(self) -> None:
        """Set `fields`, when the last field is in the list."""
        self.fields = _by_name(self)


def header_fields(received: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the values of a header section by name. Repeated fields are joined by a comma."""
    return received.fields if type(received) is ReceivedHeaders else _by_name(received)


def _by_name(received: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers = dict(received)
    if len(headers) != len(received):
        # Repeated fields are one list (RFC 9110, section 5.3). So two access tokens become one invalid token.
        headers = {}
        for name, value in received:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
