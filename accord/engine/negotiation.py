"""Content negotiation: selects a media type by the header `Accept` (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

Render = Callable[[Any, list[str] | None], bytes]
"""Renders the JSON value of a response. The second argument lists the selected properties of its items; None is all."""

_MAX_HEADER_SIZE = 1000
_MEDIA_RANGE = re.compile(r"\*/\*|[\w.+!#$&^-]+/(?:\*|[\w.+!#$&^-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaType:
    """
    A media type of a response. `render` is None for JSON, from which the others are rendered.

    `location` is that of another resource, to which a 303 sends clients that prefer this media type.
    """

    content_type: bytes
    tag_suffix: bytes = b""
    render: Render | None = None
    location: bytes | None = None


def parse_accept(accept: bytes) -> list[tuple[str, float]]:
    """
    Return the media ranges of the header *accept* with their quality, best first.

    A range keeps its parameters other than `q`. A header of more than 1000 bytes counts as empty.
    """
    # The HTTP client of Java sends `q=.2`, which RFC 9110 does not allow.
    header = accept.decode("latin-1").replace("q=.", "q=0.") if len(accept) <= _MAX_HEADER_SIZE else ""
    return list(parse_accept_header(header))


@lru_cache(maxsize=256)
def best_match(accept: bytes, available: tuple[str, ...]) -> str | None:
    """
    Return the media type of *available* that the header *accept* prefers; None if it accepts none of them.

    The most specific range gives the quality of a media type, and parameters other than `q` are ignored. Among equal
    qualities, a media type that is named precedes one that matches a wildcard, and then the first one counts.
    Invalid ranges are ignored. A header without a valid range accepts everything.
    """
    ranges = []
    for value, quality in parse_accept(accept):
        name = value.partition(";")[0].strip()
        if name == "*" or _MEDIA_RANGE.fullmatch(name):
            ranges.append(("*/*" if name == "*" else name, quality))
    return MIMEAccept(ranges).best_match(available) if ranges else available[0]
