"""Which of several media types a caller wants (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

Render = Callable[[Any, list[str] | None], bytes]
"""Writes the JSON value of an answer, and of its items only these members, where the caller chose some."""

_MAX_HEADER_SIZE = 1000
_MEDIA_RANGE = re.compile(r"\*/\*|[\w.+!#$&^-]+/(?:\*|[\w.+!#$&^-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type that an answer can have. `write` is None for JSON, of which the others are made."""

    content_type: bytes
    tag_suffix: bytes = b""
    render: Render | None = None


def parse_accept(accept: bytes) -> list[tuple[str, float]]:
    """
    Return what stands in the header *accept*, with parameters but for `q`, and how much it is wanted; most first.

    A header that is longer than anybody needs says nothing.
    """
    # Java's own client says `q=.2`, which RFC 9110 does not know.
    header = accept.decode("latin-1").replace("q=.", "q=0.") if len(accept) <= _MAX_HEADER_SIZE else ""
    return list(parse_accept_header(header))


@lru_cache(maxsize=256)
def best_match(accept: bytes, available: tuple[str, ...]) -> str | None:
    """
    Return the one of *offered* that the header *accept* wants most; None if it wants none of them.

    The most specific range says how much a media type is wanted; of parameters, only `q` is looked at.
    Of those wanted alike, one that is named comes before one that is merely not excluded, and then
    the first. What is no media range is passed over, and a header without any says nothing.
    """
    ranges = []
    for value, quality in parse_accept(accept):
        name = value.partition(";")[0].strip()
        if name == "*" or _MEDIA_RANGE.fullmatch(name):
            ranges.append(("*/*" if name == "*" else name, quality))
    return MIMEAccept(ranges).best_match(available) if ranges else available[0]
