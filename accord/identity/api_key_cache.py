"""Cache of API keys, so that most requests with an API key need no query."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, NamedTuple
from uuid import UUID

from accord.identity.callers import Caller

USE_RECORDED_EVERY = timedelta(minutes=1)

_SHAPE = re.compile(r"(ak_[a-z2-7]{12})_[A-Za-z0-9_-]{43}")
_FRESH_SECONDS = 0.5
_MAX_ENTRIES = 10_000
_NO_HASH = "0" * 64
_log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    caller: Caller
    expires_at: float
    fresh_until: float


class ApiKeyCache:
    """
    The API keys that were used within the last half second.

    `find_by_prefix` returns the row of a key. `record_use` records the use of a key, once a minute and outside the
    request. `roles` has the scopes of each role. Call `clear` after each change of a key or its owner.
    """

    def __init__(
        self,
        find_by_prefix: Callable[[str], Awaitable[Mapping[str, Any] | None]],
        record_use: Callable[[UUID], Awaitable[None]],
        *,
        roles: Mapping[str, Sequence[str]],
    ) -> None:
        self._find_by_prefix = find_by_prefix
        self._record_use = record_use
        self._scopes = {role: frozenset(scopes) for role, scopes in roles.items()}
        self._entries: dict[str, _Entry] = {}
        self._recording: dict[UUID, asyncio.Task[None]] = {}

    def authenticate(self, key: str) -> Caller | Awaitable[Caller | None] | None:
        """Return the caller of a key, None for an invalid one; an awaitable of it if the database must be queried."""
        key_hash = hash_of(key)
        entry = self._entries.get(key_hash)
        if entry is not None and time.monotonic() < entry.fresh_until:
            return entry.caller if time.time() < entry.expires_at else None
        match = _SHAPE.fullmatch(key)
        return self._load(match[1], key_hash) if match else None

    def clear(self) -> None:
        """Clear the cache; the results of queries in progress are not stored either."""
        self._entries = {}

    async def _load(self, prefix: str, key_hash: str) -> Caller | None:
        # `clear` replaces the dict, so the result of a query that began before is not stored in the new one.
        entries, fresh_until = self._entries, time.monotonic() + _FRESH_SECONDS
        row = await self._find_by_prefix(prefix)
        expires_at = _expires_at(row, key_hash)
        if row is None or time.time() >= expires_at:
            return None
        key_id, scopes = row["id"], self._scopes[row["role"]].intersection(row["scopes"])
        caller = Caller(row["owner_id"], None, row["role"], scopes, key_id)
        if len(entries) >= _MAX_ENTRIES:
            entries.clear()
        entries[key_hash] = _Entry(caller, expires_at, fresh_until)
        if key_id not in self._recording and _is_due(row["last_used_at"]):
            loop = asyncio.get_running_loop()
            self._recording[key_id] = loop.create_task(self._record(key_id))
            loop.call_later(USE_RECORDED_EVERY.total_seconds(), self._recording.pop, key_id)
        return caller

    async def _record(self, key_id: UUID) -> None:
        try:
            await self._record_use(key_id)
        except Exception as error:  # noqa: BLE001  # The request must not fail because of it.
            _log.warning("The use of the API key %s could not be recorded: %s", key_id, error)


def hash_of(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal."""
    # The key has 256 random bits, so that a fast hash without salt is safe.
    return hashlib.sha256(key.encode()).hexdigest()


def _expires_at(row: Mapping[str, Any] | None, key_hash: str) -> float:
    """Return the expiry of the key in seconds since 1970, 0 for a wrong key. It takes the same time without a row."""
    current_hash = row["key_hash"] if row else _NO_HASH
    previous_hash = row["previous_hash"] if row else None
    is_current = compare_digest(key_hash, current_hash)
    is_previous = compare_digest(key_hash, previous_hash or _NO_HASH)
    if row is None or not (is_current or is_previous):
        return 0
    expiries = row["expires_at"], None if is_current else row["previous_until"]
    return min((expiry.timestamp() for expiry in expiries if expiry), default=float("inf"))


def _is_due(recorded_at: datetime | None) -> bool:
    return recorded_at is None or abs(datetime.now(UTC) - recorded_at) >= USE_RECORDED_EVERY
