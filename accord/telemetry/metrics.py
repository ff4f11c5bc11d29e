"""What the service counts: requests by operation, and numbers that others keep."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from accord.engine.context import RequestContext

Counts = dict[str, Any]
"""
What a process has counted so far, as JSON has it: of requests their `number` by operation, method and
status, and by operation and method their `seconds` and how many fell into each of the `buckets`; `problems`
by type; the `counters` and `gauges` of others.
"""

DURATION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds that the buckets of durations end at; after the last one there is one more."""

NO_OPERATION = "none"
"""What stands in place of the operation for pages, and for paths that lead nowhere."""

_OTHER_METHODS = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Instrument:
    """A number that somebody else keeps, or one for each value of *label*."""

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    label: str = ""


Callback = Callable[[], Mapping[str, float]]
"""Returns the numbers of a measure as they are now, by the value of its label; the only one of it at the empty text."""

IN_FLIGHT = Instrument("gauge", "accord_http_requests_in_flight", "Requests that are not answered yet.")
POOL_SIZE = Instrument("gauge", "accord_database_pool_size", "Connections that may be open.", "pool")
POOL_IN_USE = Instrument("gauge", "accord_database_pool_in_use", "Connections that a unit of work has.", "pool")
POOL_WAITS = Instrument("counter", "accord_database_pool_waits", "Units of work that waited for a connection.", "pool")
RATE_LIMIT_REJECTIONS = Instrument(
    "counter", "accord_rate_limit_rejections", "Requests refused by a rate limit.", "class"
)
RATE_LIMIT_FALLBACKS = Instrument("counter", "accord_rate_limit_fallbacks", "Limits kept in memory, for want of Redis.")
RESPONSE_CACHE_HITS = Instrument(
    "counter", "accord_response_cache_hits", "Answers that came from the cache.", "operation"
)
RESPONSE_CACHE_MISSES = Instrument(
    "counter", "accord_response_cache_misses", "Answers that the cache could have had.", "operation"
)
INSTRUMENTS = (
    IN_FLIGHT,
    POOL_SIZE,
    POOL_IN_USE,
    POOL_WAITS,
    RATE_LIMIT_REJECTIONS,
    RATE_LIMIT_FALLBACKS,
    RESPONSE_CACHE_HITS,
    RESPONSE_CACHE_MISSES,
)


class Metrics:
    """What this process has counted since it began, and *read* from others."""

    def __init__(self, callbacks: Mapping[Instrument, Callback]) -> None:
        self._callbacks = callbacks
        self._series: dict[tuple[str, str], _Series] = {}
        self._problems: Counter[str] = Counter()

    def record(self, context: RequestContext) -> None:
        """Count a request that is over."""
        seconds, status = context.duration, context.status
        key = context.operation_id or NO_OPERATION, context.method
        series = self._series.get(key) or self._begin(*key)
        series.seconds += seconds
        series.buckets[bisect_left(DURATION_BUCKETS, seconds)] += 1
        statuses = series.statuses
        statuses[status] = statuses.get(status, 0) + 1
        if context.problem_type is not None:
            self._problems[context.problem_type] += 1

    def snapshot(self) -> Counts:
        """Return what was counted; any thread may ask."""
        series = {" ".join(key): series for key, series in list(self._series.items())}
        return {
            "processes": 1,
            "number": {f"{key} {status}": n for key, one in series.items() for status, n in list(one.statuses.items())},
            "seconds": {key: one.seconds for key, one in series.items()},
            "buckets": {key: list(one.buckets) for key, one in series.items()},
            "problems": dict(self._problems),
            "counters": self._measured("counter"),
            "gauges": self._measured("gauge"),
        }

    def _measured(self, kind: str) -> dict[str, dict[str, float]]:
        return {measure.name: dict(read()) for measure, read in self._callbacks.items() if measure.kind == kind}

    def _begin(self, operation: str, method: str) -> "_Series":
        # Of what is no operation the method may be anything; nobody shall fill the memory with names.
        key = operation, method if method in _METHODS else _OTHER_METHODS
        return self._series.setdefault(key, _Series())


class _Series:
    """The requests to one operation by one method."""

    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.seconds = 0.0
        self.buckets = [0] * (len(DURATION_BUCKETS) + 1)


def merge(one: Any, other: Any) -> Any:
    """Return what two processes have counted together."""
    match one:
        case dict():
            return one | {name: merge(one[name], value) if name in one else value for name, value in other.items()}
        case list():
            return [merge(*pair) for pair in zip(one, other, strict=True)]
    return one + other
