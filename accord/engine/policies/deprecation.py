"""Tells callers that an operation goes, when, and what comes in its place."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from accord.contract.errors import error_at
from accord.engine.headers import RawHeaders


class Deprecation:
    """
    `deprecated: true`, with `x-deprecated-since`, `x-sunset` and `x-successor`.

    The first two are dates, whose day begins at midnight, UTC; the third is the path in another
    contract that does the same, with variables of this path. Every answer of the operation has
    `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and a `Link` of the relation
    `successor-version` (RFC 5829).
    """

    def __init__(self, spec: dict[str, Any], names: Sequence[str]) -> None:
        """*names* are the variables of the path. Raises ContractError where the words do not fit together."""
        name = spec["operationId"]
        since, self.sunset = (_date(spec, word) for word in ("x-deprecated-since", "x-sunset"))
        self.successor: str | None = spec.get("x-successor")
        if not spec.get("deprecated"):
            if since or self.sunset or self.successor:
                raise error_at(spec, f"{name} has a date of deprecation or a successor, but not `deprecated: true`.")
            self._always: RawHeaders = []
            return
        if since is None:
            raise error_at(spec, f"{name} is deprecated; say the date in x-deprecated-since.")
        if self.sunset and self.sunset < since:
            raise error_at(spec, f"{name}: x-sunset is earlier than x-deprecated-since, which RFC 9745 does not allow.")
        pieces = re.split(r"{([^{}]+)}", self.successor or "")
        if unknown := [variable for variable in pieces[1::2] if variable not in names]:
            raise error_at(
                spec, f"{name}: x-successor has {', '.join(unknown)}, which the path of {name} does not have."
            )
        self._pieces = [list(names).index(piece) if n % 2 else piece for n, piece in enumerate(pieces)]
        self._always = [(b"deprecation", b"@%d" % since.timestamp())]
        if self.sunset:
            self._always.append((b"sunset", format_datetime(self.sunset, usegmt=True).encode()))

    def headers(self, path_values: Sequence[str]) -> RawHeaders:
        """Return the headers of an answer to a request whose path has these values."""
        if self.successor is None:
            return self._always
        href = "".join(quote(path_values[p], safe="") if isinstance(p, int) else p for p in self._pieces)
        return [*self._always, (b"link", f'<{href}>; rel="successor-version"'.encode("latin-1"))]

    def is_past_sunset(self) -> bool:
        """Return whether the sunset has passed."""
        return self.sunset is not None and datetime.now(UTC) >= self.sunset


def _date(spec: dict[str, Any], word: str) -> datetime | None:
    if word not in spec:
        return None
    try:
        return datetime.strptime(spec[word], "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise error_at(spec, f"{word} must be a date, such as 2027-06-30, not {spec[word]!r}.") from None
