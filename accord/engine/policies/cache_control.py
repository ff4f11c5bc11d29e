"""Cache control: which caches may store a response, and for how long (RFC 9111)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from accord.contract.document import Document
from accord.contract.errors import error_at
from accord.engine.headers import RawHeaders
from accord.engine.request import Caller

PUBLIC_NO_CACHE: RawHeaders = [(b"cache-control", b"public, no-cache")]
"""Any cache may store the response, and must revalidate it before each use, which mostly gives a 304."""

_MEMBERS = {"description", "max-age", "server-cache"}


@dataclass(frozen=True)
class CacheProfile:
    """How long caches may use a response without revalidation, and whether the service caches it itself."""

    name: str
    max_age: int  # seconds
    uses_server_cache: bool


class CacheProfiles:
    """
    The cache profiles of a contract, its `x-cache-profiles`.

    `max-age` is the seconds for which any cache may use the response to a request without credentials. With 0 caches
    revalidate each time, which mostly gives a 304. With `server-cache` the service caches responses itself, until the
    data in them changes. Raises ContractError for an invalid profile.
    """

    def __init__(self, document: Document, tags: Collection[str] | None) -> None:
        """*tags* are the cache tags whose changes are counted. With None the service caches nothing itself."""
        self._profiles = {
            name: _profile(name, spec, tags) for name, spec in document.raw.get("x-cache-profiles", {}).items()
        }

    def for_operation(self, spec: dict[str, Any], *, takes_credentials: bool) -> "CacheControl":
        """Return the cache control of an operation. Raises ContractError for an unknown cache profile."""
        operation, name = spec["operationId"], spec.get("x-cache-profile")
        if name is not None and name not in self._profiles:
            known = ", ".join(self._profiles) or "none"
            raise error_at(spec, f'{operation}: unknown cache profile "{name}"; known: {known}.')
        return CacheControl(self._profiles.get(name), takes_credentials=takes_credentials)


class CacheControl:
    """
    The `Cache-Control` header of the responses of one operation.

    Authenticated requests get a response of their own: its links depend on the scopes of the caller, and callers see
    their own changes at once. Only responses to requests without credentials are public, and `Vary` separates them
    from the others.
    """

    def __init__(self, profile: CacheProfile | None, *, takes_credentials: bool) -> None:
        self.name, self.uses_server_cache = (profile.name, profile.uses_server_cache) if profile else ("", False)
        if profile is None:
            anonymous = b"private, no-store" if takes_credentials else b"no-store"
            authenticated = anonymous
        else:
            anonymous = b"public, max-age=%d" % profile.max_age if profile.max_age else b"public, no-cache"
            authenticated = b"private, no-cache"
        self._anonymous, self._authenticated = _header(anonymous), _header(authenticated)

    def headers(self, caller: Caller | None) -> RawHeaders:
        """Return the headers of the responses to *caller*, which are the same for 200, 206 and 304."""
        return self._anonymous if caller is None else self._authenticated


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
    uses_server_cache = bool(spec.get("server-cache"))
    if uses_server_cache and tags is not None and name not in tags:
        known = ", ".join(sorted(tags)) or "none"
        raise error_at(
            spec, f'cache profile "{name}" has server-cache, but no changes are counted under "{name}"; known: {known}.'
        )
    return CacheProfile(name, age, uses_server_cache and tags is not None)
