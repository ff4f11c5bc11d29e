"""Answers that the service keeps, and gives again as long as nothing has changed that they show."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from accord.engine.headers import RawHeaders
from accord.engine.policies import Database
from accord.engine.policies.conditional_requests import not_modified
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation

_SECONDS = 60.0
_ENTRY_OVERHEAD = 1_000
"""Bytes that an answer takes beside its body, roughly."""
_MAX_ENTRY_SHARE = 8
"""An answer that would take more than this part of the room is not kept."""


class CacheVersions(Protocol):
    """Knows how often what answers show has changed; main gives one."""

    @property
    def tags(self) -> Collection[str]:
        """What can be asked about."""

    async def current(self) -> Mapping[str, int]:
        """Return the generation of each noun, as it is at some moment after the call."""


@dataclass
class CacheStats:
    """By operation, how many answers were kept ones, and how many of those that are kept had to be made."""

    hits: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    until: float
    status: int
    headers: RawHeaders
    body: bytes

    @property
    def size(self) -> int:
        return _ENTRY_OVERHEAD + len(self.body)


class ResponseCache:
    """
    The responses of operations whose `x-cache-profile` has `server-cache`.

    An answer is kept under the generation that was read before it was made, and given to those after whose request the
    generation was read again, and was the same: who has heard of a change never gets what was before it. What is being
    made for one is for all who ask for the same. None stays longer than a minute, since a generation does not tell the
    time, nor of a change of keys; those used longest ago go first.
    """

    def __init__(self, versions: CacheVersions, size: int) -> None:
        """*size* is the number of bytes to keep."""
        self.tags = versions.tags
        self.stats = CacheStats()
        self._versions = versions
        self._size = size
        self._room = size
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._rendering: dict[Hashable, asyncio.Future[_Entry | None]] = {}

    async def get_or_render(self, operation: "Operation", request: Request, database: Database) -> Response:
        """Return the answer to the request, the one that is kept or a new one, or the 304 that stands for it."""
        key = operation.cache_key(request)
        if key is None:
            return not_modified(request, await database.run("read", operation.handle, request))
        generation = (await self._versions.current())[operation.cache_control.name]
        kept = self._entries.get(key)
        if kept and kept.version == generation and monotonic() < kept.until:
            self._entries.move_to_end(key)
            self.stats.hits[operation.id] += 1
        else:
            kept = await self._render_once(key, generation, operation, request, database)
        return not_modified(request, Response(kept.status, kept.body, kept.headers))

    async def _render_once(
        self, key: Hashable, version: int, operation: "Operation", request: Request, database: Database
    ) -> _Entry:
        """Return what somebody else is making of the same generation, or else make it for all."""
        under_way = self._rendering.get((key, version))
        if under_way and (kept := await asyncio.shield(under_way)):
            self.stats.hits[operation.id] += 1
            return kept
        made: asyncio.Future[_Entry | None] = asyncio.get_running_loop().create_future()
        self._rendering[key, version] = made
        kept = None
        try:
            answer = await database.run("read", operation.handle, request)
            kept = _Entry(version, monotonic() + _SECONDS, answer.status, answer.headers, answer.body)
            self._store(key, kept)
            self.stats.misses[operation.id] += 1
            return kept
        finally:
            self._rendering.pop((key, version), None)
            made.set_result(kept)

    def _store(self, key: Hashable, entry: _Entry) -> None:
        if entry.size > self._size / _MAX_ENTRY_SHARE:
            return
        if before := self._entries.pop(key, None):
            self._room += before.size
        self._entries[key] = entry
        self._room -= entry.size
        while self._room < 0:
            _, oldest = self._entries.popitem(last=False)
            self._room += oldest.size
