"""The response cache: responses that the service stores, and sends again until the data in them changes."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from accord.engine.policies import Database
from accord.engine.policies.conditional_requests import select
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation

_MAX_AGE = 60.0  # seconds
_ENTRY_OVERHEAD = 1_000
"""Approximate bytes that an entry takes besides its body."""
_MAX_ENTRY_SHARE = 8
"""A response is not stored if it takes more than one part in so many of the cache."""


class CacheVersions(Protocol):
    """Counts the changes of the data behind each cache tag."""

    @property
    def tags(self) -> Collection[str]:
        """The cache tags whose changes are counted."""

    async def current(self) -> Mapping[str, int]:
        """Return the cache version of each cache tag, read at some moment after the call."""


@dataclass
class CacheStats:
    """Hits and misses of the response cache by operation. Responses that depend on the caller are not counted."""

    hits: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)


class _Entry:
    """A stored response, with the encoded bodies that were sent."""

    __slots__ = ("_add_size", "_encoded", "body", "headers", "modified_at", "size", "status", "until", "version")

    def __init__(self, version: int, response: Response, add_size: Callable[["_Entry", int], bool]) -> None:
        """*add_size* takes room for more bytes of this entry, and returns whether there is room."""
        self.version = version
        self.until = monotonic() + _MAX_AGE
        self.status = response.status
        self.headers = response.headers
        self.body = response.body
        self.modified_at = response.modified_at
        self.size = _ENTRY_OVERHEAD + len(response.body)
        self._encoded: dict[bytes, bytes] = {}
        self._add_size = add_size

    def get(self, coding: bytes) -> bytes | None:
        return self._encoded.get(coding)

    def setdefault(self, coding: bytes, body: bytes) -> bytes:
        if coding not in self._encoded and self._add_size(self, len(body)):
            self._encoded[coding] = body
        return self._encoded.get(coding, body)


class ResponseCache:
    """
    The responses of operations whose `x-cache-profile` has `server-cache`.

    A response is stored under a cache version that was read before it was rendered. It is served only while a version
    read after the request arrived is still the same, so a client never gets a response older than a change that it
    knows of. A request for which nothing is stored under the latest version that was read needs no newer one, so a miss
    costs no query. Concurrent requests for the same response wait for one rendering. An entry is used for a minute at
    most, because cache versions do not follow the time, nor changes of keys. Encoded bodies are stored beside the body,
    so that each is compressed once. The least recently used entries are removed first.
    """

    def __init__(self, versions: CacheVersions, size: int) -> None:
        """*size* is the maximum of the cache in bytes."""
        self.tags = versions.tags
        self.stats = CacheStats()
        self._versions = versions
        self._latest: Mapping[str, int] = {}
        """The cache versions that were read last."""
        self._size = size
        self._room = size
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._rendering: dict[Hashable, list[asyncio.Future[_Entry | None]]] = {}
        """The renderings under way, by key and version, each with the futures of requests that wait for it."""

    async def get_or_render(self, operation: "Operation", request: Request, database: Database) -> Response:
        """Return the response to the request, stored or new, or the 304 in its place."""
        key = operation.cache_key(request)
        if key is None:
            return select(request, await database.run("read", operation.handle, request))
        tag = operation.cache_control.name
        version = self._latest.get(tag)
        entry = self._find(key, version)
        if entry or version is None or (key, version) in self._rendering:
            # Only a newer version tells whether a response that is there or under way may be served.
            self._latest = await self._versions.current()
            version = self._latest[tag]
            if entry is None or entry.version != version:
                entry = self._find(key, version)
        if entry is None and (key, version) in self._rendering:
            waiter = asyncio.get_running_loop().create_future()
            self._rendering[key, version].append(waiter)
            entry = await waiter
        if entry:
            self.stats.hits[operation.id] += 1
        else:
            entry = await self._render(key, version, operation, request, database)
        response = Response(entry.status, entry.body, entry.headers, modified_at=entry.modified_at, encodings=entry)
        return select(request, response)

    async def _render(
        self, key: Hashable, version: int, operation: "Operation", request: Request, database: Database
    ) -> _Entry:
        """Render and store the response, and give it to the requests that wait for it. They get None if this fails."""
        # No other request waits for most renderings, so they have no future of their own.
        waiters: list[asyncio.Future[_Entry | None]] = []
        self._rendering[key, version] = waiters
        entry = None
        try:
            response = await database.run("read", operation.handle, request)
            entry = _Entry(version, response, partial(self._add_size, key))
            self._store(key, entry)
            self.stats.misses[operation.id] += 1
            return entry
        finally:
            self._rendering.pop((key, version), None)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(entry)

    def _find(self, key: Hashable, version: int | None) -> _Entry | None:
        """Return the stored response of this version, if it may still be used."""
        entry = self._entries.get(key)
        if entry is None or entry.version != version or monotonic() >= entry.until:
            return None
        self._entries.move_to_end(key)
        return entry

    def _store(self, key: Hashable, entry: _Entry) -> None:
        if entry.size > self._size / _MAX_ENTRY_SHARE:
            return
        if replaced := self._entries.pop(key, None):
            self._room += replaced.size
        self._entries[key] = entry
        self._room -= entry.size
        self._make_room()

    def _add_size(self, key: Hashable, entry: _Entry, size: int) -> bool:
        """Take room for *size* more bytes of *entry*. Return whether it is still stored, and may have them."""
        if self._entries.get(key) is not entry or entry.size + size > self._size / _MAX_ENTRY_SHARE:
            return False
        entry.size += size
        self._room -= size
        self._make_room()
        return True

    def _make_room(self) -> None:
        while self._room < 0:
            _, oldest = self._entries.popitem(last=False)
            self._room += oldest.size
