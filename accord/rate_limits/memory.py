"""Rate limit storage in the memory of one process."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Sequence
from time import monotonic

from accord.engine.policies.rate_limits import HitResult, Window


class MemoryStorage:
    """
    Counts requests in this process.

    Memory is bounded: each counter has at most *max_counters* windows, the oldest of which are removed first, and
    windows that have ended are removed.
    """

    def __init__(self, max_counters: int = 100_000, clock: Callable[[], float] = monotonic) -> None:
        self.max_counters = max_counters
        self._clock = clock
        self._counters: dict[str, OrderedDict[Hashable, _Count]] = defaultdict(OrderedDict)

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        now = self._clock()
        granted = True
        counts: list[_Count] = []
        new: list[tuple[str, Hashable, _Count]] = []
        for window, key in zip(windows, partition_keys, strict=True):
            count = self._counters[window.counter].get(key)
            if count is None or count.end <= now:
                count = _Count(now + window.seconds)
                new.append((window.counter, key, count))
            elif count.used >= window.quota:
                granted = False
            counts.append(count)
        if granted:
            for counter, key, count in new:
                self._add(counter, key, count, now)
            for count in counts:
                count.used += 1
        return granted, [(count.used, count.end - now) for count in counts]

    async def close(self) -> None:
        """Do nothing: the storage holds no connection."""

    def _add(self, counter: str, key: Hashable, count: "_Count", now: float) -> None:
        counts = self._counters[counter]
        counts.pop(key, None)
        # The windows of a counter are equally long, so they end in the order in which they began.
        while counts and (len(counts) >= self.max_counters or next(iter(counts.values())).end <= now):
            counts.popitem(last=False)
        counts[key] = count


class _Count:
    __slots__ = ("end", "used")

    def __init__(self, end: float) -> None:
        self.used = 0
        self.end = end
