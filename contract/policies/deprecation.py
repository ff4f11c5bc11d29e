"""Tells callers that an operation goes: `deprecated: true`, with `x-deprecated-since` and `x-sunset`."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from contract.errors import at


def deprecation(spec: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """
    Return the headers that every answer of the operation has: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594).

    Both words are dates; the day begins at midnight, UTC.
    """
    since, sunset = (_day(spec, word) for word in ("x-deprecated-since", "x-sunset"))
    if not spec.get("deprecated"):
        if since or sunset:
            raise at(spec, f"{spec['operationId']} has a date of deprecation, but not `deprecated: true`.")
        return []
    if since is None:
        raise at(spec, f"{spec['operationId']} is deprecated; say the date in x-deprecated-since.")
    headers = [(b"deprecation", b"@%d" % since.timestamp())]
    if sunset:
        headers.append((b"sunset", format_datetime(sunset, usegmt=True).encode()))
    return headers


def _day(spec: dict[str, Any], word: str) -> datetime | None:
    if word not in spec:
        return None
    try:
        return datetime.strptime(spec[word], "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise at(spec, f"{word} must be a date, such as 2027-06-30, not {spec[word]!r}.") from None
