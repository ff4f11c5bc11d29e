"""Deprecation: since when an operation is deprecated, when it ends, and which operation replaces it."""

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

    The first two are dates. Their day begins at midnight, UTC. The third is the path template of the replacement in
    another contract, with variables of this path. Every response of the operation has `Deprecation` (RFC 9745),
    `Sunset` (RFC 8594), and a `Link` of the relation `successor-version` (RFC 5829).
    """

    def __init__(self, spec: dict[str, Any], names: Sequence[str]) -> None:
        """*names* are the variables of the path. Raises ContractError if the extensions contradict each other."""
        name = spec["operationId"]
        since, self.sunset = (_date(spec, extension) for extension in ("x-deprecated-since", "x-sunset"))
        self.successor: str | None = spec.get("x-successor")
        if not spec.get("deprecated"):
            if since or self.sunset or self.successor:
                raise error_at(spec, f"{name} has a date of deprecation or a successor, but not `deprecated: true`.")
            self._fixed: RawHeaders = []
            return
        if since is None:
            raise error_at(spec, f"{name} is deprecated; set x-deprecated-since to the date.")
        if self.sunset and self.sunset < since:
            raise error_at(spec, f"{name}: x-sunset is earlier than x-deprecated-since, which RFC 9745 does not allow.")
        pieces = re.split(r"{([^{}]+)}", self.successor or "")
        if unknown := [variable for variable in pieces[1::2] if variable not in names]:
            raise error_at(
                spec, f"{name}: x-successor has {', '.join(unknown)}, which the path of {name} does not have."
            )
        self._pieces = [list(names).index(piece) if n % 2 else piece for n, piece in enumerate(pieces)]
        self._fixed = [(b"deprecation", b"@%d" % since.timestamp())]
        if self.sunset:
            self._fixed.append((b"sunset", format_datetime(self.sunset, usegmt=True).encode()))

    def headers(self, path_values: Sequence[str], root_path: str) -> RawHeaders:
        """Return the headers of the response to a request whose path has these values below *root_path*."""
        if self.successor is None:
            return self._fixed
        href = "".join(quote(path_values[p], safe="") if isinstance(p, int) else p for p in self._pieces)
        return [*self._fixed, (b"link", f'<{root_path}{href}>; rel="successor-version"'.encode("latin-1"))]

    def is_past_sunset(self) -> bool:
        """Return whether there is a sunset, and it has passed."""
        return self.sunset is not None and datetime.now(UTC) >= self.sunset


def _date(spec: dict[str, Any], extension: str) -> datetime | None:
    if extension not in spec:
        return None
    try:
        return datetime.strptime(spec[extension], "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise error_at(spec, f"{extension} must be a date, such as 2027-06-30, not {spec[extension]!r}.") from None
