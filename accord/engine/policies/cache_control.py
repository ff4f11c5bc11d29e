"""Who may keep an answer, and for how long (RFC 9111)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from accord.contract.document import Document
from accord.contract.errors import at
from accord.engine.headers import RawHeaders
from accord.engine.request import Caller

REVALIDATED: RawHeaders = [(b"cache-control", b"public, no-cache")]
"""For what everybody may keep, and use again after a 304."""

_MEMBERS = {"description", "max-age", "kept"}


@dataclass(frozen=True)
class CacheClass:
    """How long others may use an answer, and whether this service keeps it, too."""

    name: str
    max_age: int
    is_kept: bool


class Caches:
    """
    The classes of a contract, its `x-caches`.

    `max-age` is the seconds for which anybody may use what a caller without credentials got; with 0 it is asked for
    again each time, mostly for a 304. What is `kept`, the service itself keeps, until what it shows has changed.
    Raises ContractError for what is no class.
    """

    def __init__(self, document: Document, nouns: Collection[str] | None) -> None:
        """*nouns* are those whose changes are known; None if nothing is to be kept here."""
        self._classes = {name: _class(name, spec, nouns) for name, spec in document.raw.get("x-caches", {}).items()}

    def of(self, spec: dict[str, Any], *, takes_credentials: bool) -> "Caching":
        """Return what is said of the answers of an operation; raises ContractError for a class that is none."""
        operation, name = spec["operationId"], spec.get("x-cache")
        if name is not None and name not in self._classes:
            known = ", ".join(self._classes) or "none"
            raise at(spec, f"{operation} is of the cache {name}, which is none; there are {known}.")
        return Caching(self._classes.get(name), takes_credentials=takes_credentials)


class Caching:
    """
    What the answers of one operation say.

    Who has said who they are gets an answer of their own: links lead where their scopes reach, and what they have just
    changed they see changed. So only what nobody in particular asked for is public, and `Vary` keeps it from others.
    """

    def __init__(self, of: CacheClass | None, *, takes_credentials: bool) -> None:
        self.name, self.is_kept = (of.name, of.is_kept) if of else ("", False)
        if of is None:
            anonymous = b"private, no-store" if takes_credentials else b"no-store"
            known = anonymous
        else:
            anonymous = b"public, max-age=%d" % of.max_age if of.max_age else b"public, no-cache"
            known = b"private, no-cache"
        self._anonymous, self._known = _says(anonymous), _says(known)

    def headers(self, caller: Caller | None) -> RawHeaders:
        """Return the headers of what *caller* gets, whether it is the whole, a part, or a 304."""
        return self._anonymous if caller is None else self._known


def _says(value: bytes) -> RawHeaders:
    return [(b"cache-control", value)]


def _class(name: str, spec: Any, nouns: Collection[str] | None) -> CacheClass:
    if unknown := sorted(spec.keys() - _MEMBERS):
        raise at(spec, f"cache {name}: {', '.join(unknown)} is not known here; max-age and kept are.")
    age = spec.get("max-age")
    if not isinstance(age, int) or isinstance(age, bool) or age < 0:
        raise at(spec, f"cache {name}: max-age is a number of seconds, such as 60, not {age!r}.")
    is_kept = bool(spec.get("kept"))
    if is_kept and nouns is not None and name not in nouns:
        known = ", ".join(sorted(nouns)) or "none"
        raise at(spec, f"cache {name} is kept, but nobody counts the changes of {name}; there are {known}.")
    return CacheClass(name, age, is_kept and nouns is not None)
