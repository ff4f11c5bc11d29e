"""Revocation list of sessions, so that their access tokens are refused before they expire."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from threading import Lock
from uuid import UUID

_FRESH_SECONDS = 0.5
# The time of revocation is before its commit, and comes from another server's clock.
_OVERLAP = timedelta(minutes=2)
# A clock that was set back by more than the overlap gives a revocation a time that was read already.
_SECONDS_BETWEEN_COMPLETE_READS = 60


class RevocationList:
    """The revoked sessions whose access tokens may not have expired.

    `read` returns the ids of the sessions revoked since a time, from the database that all servers share. The list has
    the revocations of this server at once. It has those of other servers while the monotonic clock is before
    `fresh_until`; those with a time by a wrong clock it has within a minute. `on_change` is called after each
    revocation by this server, also after one without sessions.
    """

    def __init__(
        self,
        read: Callable[[datetime], Awaitable[Iterable[UUID]]],
        *,
        token_lifetime: timedelta,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._on_change = on_change
        self._lifetime = token_lifetime + _OVERLAP
        self.fresh_until = float("-inf")
        self._since = datetime.now(UTC)
        self._next_complete_read = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        # The monotonic time at which each session was added, or was last in a complete read.
        self._sessions: dict[UUID, float] = {}
        self._lock = Lock()

    def __contains__(self, session_id: UUID | None) -> bool:
        return session_id in self._sessions

    def add(self, session_ids: Iterable[UUID]) -> None:
        """Add the sessions that this server has revoked."""
        self._add(session_ids)
        self._on_change()

    async def refresh(self) -> None:
        """Wait until the list has all revocations up to half a second before the call; raises the errors of `read`."""
        called_at = time.monotonic()
        while self.fresh_until <= called_at:
            if self._reading is None:
                self._reading = asyncio.create_task(self._load())
            # A cancelled caller must not cancel the query that other callers wait for.
            await asyncio.shield(self._reading)

    def _add(self, session_ids: Iterable[UUID]) -> None:
        now = time.monotonic()
        lifetime = self._lifetime.total_seconds()
        with self._lock:
            for session_id in session_ids:
                self._sessions.setdefault(session_id, now)
            # The sessions are in the order of their times, so the expired ones are at the beginning.
            expired = [*takewhile(lambda session_id: now - self._sessions[session_id] > lifetime, self._sessions)]
            for session_id in expired:
                del self._sessions[session_id]

    def _confirm(self, session_ids: Iterable[UUID]) -> None:
        """Add the sessions of a complete read. Those that are in the list already stay for another lifetime."""
        confirmed = dict.fromkeys(session_ids, time.monotonic())
        with self._lock:
            others = {session_id: at for session_id, at in self._sessions.items() if session_id not in confirmed}
            self._sessions = others | confirmed

    async def _load(self) -> None:
        try:
            started, now = time.monotonic(), datetime.now(UTC)
            if started >= self._next_complete_read:
                self._confirm(await self._read(now - self._lifetime))
                self._next_complete_read = started + _SECONDS_BETWEEN_COMPLETE_READS
            else:
                self._add(await self._read(min(self._since, now - _OVERLAP)))
            self.fresh_until = started + _FRESH_SECONDS
            self._since = now - _OVERLAP
        finally:
            self._reading = None
