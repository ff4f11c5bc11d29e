"""Who may keep an answer, and for how long (RFC 9111)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from accord.contract.document import Document
from accord.contract.errors import error_at
from accord.engine.headers import RawHeaders
from accord.engine.request import Caller

PUBLIC_NO_CACHE: RawHeaders = [(b"cache-control", b"public, no-cache")]
"""For what everybody may keep, and use again after a 304."""

_MEMBERS = {"description", "max-age", "server-cache"}


@dataclass(frozen=True)
class CacheProfile:
    """How long others may use an answer, and whether this service keeps it, too."""

    name: str
    max_age: int
    uses_server_cache: bool


class CacheProfiles:
    """
    The cache profiles of a contract, its `x-cache-profiles`.

    `max-age` is the seconds for which any cache may use the response to a request without credentials. With 0 caches
    revalidate each time, which mostly gives a 304. With `server-cache` the service caches responses itself, until the
    data in them changes. Raises ContractError for an invalid profile.
    """

    def __init__(self, document: Document, tags: Collection[str] | None) -> None:
        """*nouns* are those whose changes are known; None if nothing is to be kept here."""
        self._profiles = {
            name: _profile(name, spec, tags) for name, spec in document.raw.get("x-cache-profiles", {}).items()
        }

    def for_operation(self, spec: dict[str, Any], *, takes_credentials: bool) -> "CacheControl":
        """Return the caching of an operation; raises ContractError for an unknown cache profile."""
        operation, name = spec["operationId"], spec.get("x-cache-profile")
        if name is not None and name not in self._profiles:
            known = ", ".join(self._profiles) or "none"
            raise error_at(spec, f'{operation}: unknown cache profile "{name}"; known: {known}.')
        return CacheControl(self._profiles.get(name), takes_credentials=takes_credentials)


class CacheControl:
    """
    What the answers of one operation say.

    Who has said who they are gets an answer of their own: links lead where their scopes reach, and what they have just
    changed they see changed. So only what nobody in particular asked for is public, and `Vary` keeps it from others.
    """

    def __init__(self, profile: CacheProfile | None, *, takes_credentials: bool) -> None:
        self.name, self.uses_server_cache = (profile.name, profile.uses_server_cache) if profile else ("", False)
        if profile is None:
            anonymous = b"private, no-store" if takes_credentials else b"no-store"
            known = anonymous
        else:
            anonymous = b"public, max-age=%d" % profile.max_age if profile.max_age else b"public, no-cache"
            known = b"private, no-cache"
        self._anonymous, self._known = _header(anonymous), _header(known)

    def headers(self, caller: Caller | None) -> RawHeaders:
        """Return the headers of what *caller* gets, whether it is the whole, a part, or a 304."""
        return self._anonymous if caller is None else self._known


def _header(value: bytes) -> RawHeaders:
    return [(b"cache-control", value)]


def _profile(name: str, spec: Any, tags: Collection[str] | None) -> CacheProfile:
    if unknown := sorted(spec.keys() - _MEMBERS):
        raise error_at(
            spec, f'cache profile "{name}": unknown key {", ".join(unknown)}; known: {", ".join(sorted(_MEMBERS))}.'
        )
    age = spec.get("max-age")
    if not isinstance(age, int) or isinstance(age, bool) or age < 0:
        raise error_at(spec, f'cache profile "{name}": max-age must be a number of seconds, such as 60, not {age!r}.')
    is_kept = bool(spec.get("server-cache"))
    if is_kept and tags is not None and name not in tags:
        known = ", ".join(sorted(tags)) or "none"
        raise error_at(
            spec, f'cache profile "{name}" has server-cache, but no changes are counted under "{name}"; known: {known}.'
        )
    return CacheProfile(name, age, is_kept and tags is not None)
