"""Counts in this process."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Sequence
from time import monotonic

from accord.engine.policies.rate_limits import HitResult, Window


class MemoryStorage:
    """Keeps of each counter the *most* recent windows, and no longer than they last, so that memory is bounded."""

    def __init__(self, max_counters: int = 100_000, clock: Callable[[], float] = monotonic) -> None:
        self.max_counters = max_counters
        self._clock = clock
        self._counters: dict[str, OrderedDict[Hashable, _Count]] = defaultdict(OrderedDict)

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        now, granted = self._clock(), True
        counts: list[_Count] = []
        begun: list[tuple[str, Hashable, _Count]] = []
        for window, who in zip(windows, partition_keys, strict=True):
            count = self._counters[window.counter].get(who)
            if count is None or count.end <= now:
                count = _Count(now + window.seconds)
                begun.append((window.counter, who, count))
            elif count.used >= window.quota:
                granted = False
            counts.append(count)
        if granted:
            for begins in begun:
                self._keep(*begins, now)
            for count in counts:
                count.used += 1
        return granted, [(count.used, count.end - now) for count in counts]

    async def close(self) -> None:
        """Nothing is held."""

    def _keep(self, counter: str, who: Hashable, count: "_Count", now: float) -> None:
        counts = self._counters[counter]
        counts.pop(who, None)
        # Windows of a counter are equally long, so that they end in the order in which they began.
        while counts and (len(counts) >= self.max_counters or next(iter(counts.values())).end <= now):
            counts.popitem(last=False)
        counts[who] = count


class _Count:
    __slots__ = ("end", "used")

    def __init__(self, end: float) -> None:
        self.used = 0
        self.end = end
