"""Answers that the service keeps, and gives again as long as nothing has changed that they show."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from accord.engine.headers import RawHeaders
from accord.engine.policies import Seam
from accord.engine.policies.conditional_requests import unless_known
from accord.engine.renderers.response import Answer
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation

_SECONDS = 60.0
_BESIDE_ITS_BODY = 1_000
"""Bytes that an answer takes beside its body, roughly."""
_LARGEST_SHARE = 8
"""An answer that would take more than this part of the room is not kept."""


class Generations(Protocol):
    """Knows how often what answers show has changed; main gives one."""

    @property
    def nouns(self) -> Collection[str]:
        """What can be asked about."""

    async def current(self) -> Mapping[str, int]:
        """Return the generation of each noun, as it is at some moment after the call."""


@dataclass
class Tally:
    """By operation, how many answers were kept ones, and how many of those that are kept had to be made."""

    hits: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Kept:
    generation: int
    until: float
    status: int
    headers: RawHeaders
    body: bytes

    @property
    def size(self) -> int:
        return _BESIDE_ITS_BODY + len(self.body)


class KeptAnswers:
    """
    The answers of operations whose `x-cache` is of a class that is `kept`.

    An answer is kept under the generation that was read before it was made, and given to those after whose request the
    generation was read again, and was the same: who has heard of a change never gets what was before it. What is being
    made for one is for all who ask for the same. None stays longer than a minute, since a generation does not tell the
    time, nor of a change of keys; those used longest ago go first.
    """

    def __init__(self, generations: Generations, size: int) -> None:
        """*size* is the number of bytes to keep."""
        self.nouns = generations.nouns
        self.tally = Tally()
        self._generations = generations
        self._size = size
        self._room = size
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._making: dict[Hashable, asyncio.Future[_Kept | None]] = {}

    async def answer(self, operation: "Operation", request: Request, seam: Seam) -> Answer:
        """Return the answer to the request, the one that is kept or a new one, or the 304 that stands for it."""
        key = operation.key(request)
        if key is None:
            return unless_known(request, await seam.run("read", operation.perform, request))
        generation = (await self._generations.current())[operation.caching.name]
        kept = self._kept.get(key)
        if kept and kept.generation == generation and monotonic() < kept.until:
            self._kept.move_to_end(key)
            self.tally.hits[operation.id] += 1
        else:
            kept = await self._shared(key, generation, operation, request, seam)
        return unless_known(request, Answer(kept.status, kept.body, kept.headers))

    async def _shared(
        self, key: Hashable, generation: int, operation: "Operation", request: Request, seam: Seam
    ) -> _Kept:
        """Return what somebody else is making of the same generation, or else make it for all."""
        under_way = self._making.get((key, generation))
        if under_way and (kept := await asyncio.shield(under_way)):
            self.tally.hits[operation.id] += 1
            return kept
        made: asyncio.Future[_Kept | None] = asyncio.get_running_loop().create_future()
        self._making[key, generation] = made
        kept = None
        try:
            answer = await seam.run("read", operation.perform, request)
            kept = _Kept(generation, monotonic() + _SECONDS, answer.status, answer.headers, answer.body)
            self._keep(key, kept)
            self.tally.misses[operation.id] += 1
            return kept
        finally:
            self._making.pop((key, generation), None)
            made.set_result(kept)

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        if kept.size > self._size / _LARGEST_SHARE:
            return
        if before := self._kept.pop(key, None):
            self._room += before.size
        self._kept[key] = kept
        self._room -= kept.size
        while self._room < 0:
            _, oldest = self._kept.popitem(last=False)
            self._room += oldest.size
