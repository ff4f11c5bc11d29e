"""Revocation list of sessions, so that their access tokens are refused before they expire."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from threading import Lock
from uuid import UUID

_SECONDS_CURRENT = 0.5
# The time of revocation is before its commit, and comes from another server's clock.
_OVERLAP = timedelta(minutes=2)


class Revocations:
    """The revoked sessions whose access tokens may not have expired.

    `read` returns the ids of the sessions revoked since a time, from the database that all servers share. Revocations
    of this server are in the list at once; those of others while the monotonic clock is before `current_until`.
    `tell` is called after each revocation by this server, also one without sessions.
    """

    def __init__(
        self,
        read: Callable[[datetime], Awaitable[Iterable[UUID]]],
        *,
        token_lifetime: timedelta,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._read, self._tell = read, tell
        self._kept_for = token_lifetime + _OVERLAP
        self._since = datetime.now(UTC) - self._kept_for
        self.current_until = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._learned: dict[UUID, datetime] = {}
        self._lock = Lock()

    def __contains__(self, session_id: UUID | None) -> bool:
        return session_id in self._learned

    def add(self, session_ids: Iterable[UUID]) -> None:
        """Add the sessions that this server has revoked."""
        self._note(session_ids)
        self._tell()

    async def renew(self) -> None:
        """Wait until the list has all revocations up to half a second before the call; raises the errors of `read`."""
        called_at = time.monotonic()
        while self.current_until <= called_at:
            if self._reading is None:
                self._reading = asyncio.create_task(self._learn())
            # A cancelled caller must not cancel the query that other callers wait for.
            await asyncio.shield(self._reading)

    def _note(self, session_ids: Iterable[UUID]) -> None:
        now = datetime.now(UTC)
        with self._lock:
            for session_id in session_ids:
                self._learned.setdefault(session_id, now)
            for session_id in [*takewhile(lambda known: now - self._learned[known] > self._kept_for, self._learned)]:
                del self._learned[session_id]

    async def _learn(self) -> None:
        try:
            current_until, now = time.monotonic() + _SECONDS_CURRENT, datetime.now(UTC)
            self._note(await self._read(self._since))
            self.current_until, self._since = current_until, now - _OVERLAP
        finally:
            self._reading = None
