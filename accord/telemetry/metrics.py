"""Metrics: counts of requests by operation, and instruments that are read from other rooms."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from accord.engine.context import RequestContext

Counts = dict[str, Any]
"""
The counts of a process so far, as a JSON object.

`processes` is the number of processes. Of requests there are `number` by operation, method and status, and, by
operation and method, `seconds` in total and the number in each of the `buckets`. A key has its parts separated by
spaces. `problems` are by type. `counters` and `gauges` have, by name of the instrument, values by label.
"""

DURATION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the buckets of durations in seconds. One more bucket has the longer durations."""

NO_OPERATION = "none"
"""The operation of requests without one: pages of the portal and unknown paths."""

_OTHER_METHODS = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Instrument:
    """A metric that a callback reads: one value, or one for each value of *label*."""

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    label: str = ""


Callback = Callable[[], Mapping[str, float]]
"""Returns the current values of an instrument by label value. Without a label the key is the empty string."""

IN_FLIGHT = Instrument("gauge", "accord_http_requests_in_flight", "Requests without a complete response.")
POOL_SIZE = Instrument("gauge", "accord_database_pool_size", "Maximum of open connections.", "pool")
POOL_IN_USE = Instrument("gauge", "accord_database_pool_in_use", "Connections in use by a unit of work.", "pool")
POOL_WAITS = Instrument("counter", "accord_database_pool_waits", "Units of work that waited for a connection.", "pool")
RATE_LIMIT_REJECTIONS = Instrument(
    "counter", "accord_rate_limit_rejections", "Requests rejected by a rate limit.", "policy"
)
RATE_LIMIT_FALLBACKS = Instrument("counter", "accord_rate_limit_fallbacks", "Rate limit checks without Redis.")
RESPONSE_CACHE_HITS = Instrument(
    "counter", "accord_response_cache_hits", "Responses from the response cache.", "operation"
)
RESPONSE_CACHE_MISSES = Instrument(
    "counter", "accord_response_cache_misses", "Responses that were rendered for the response cache.", "operation"
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
    """The metrics of this process since its start. *callbacks* read the instruments."""

    def __init__(self, callbacks: Mapping[Instrument, Callback]) -> None:
        self._callbacks = callbacks
        self._series: dict[tuple[str, str], _Series] = {}
        self._problems: Counter[str] = Counter()

    def record(self, context: RequestContext) -> None:
        """Count a completed request."""
        seconds, status = context.duration, context.status
        key = context.operation_id or NO_OPERATION, context.method
        series = self._series.get(key) or self._add_series(*key)
        series.seconds += seconds
        series.buckets[bisect_left(DURATION_BUCKETS, seconds)] += 1
        statuses = series.statuses
        statuses[status] = statuses.get(status, 0) + 1
        if context.problem_type is not None:
            self._problems[context.problem_type] += 1

    def snapshot(self) -> Counts:
        """Return the counts. Any thread may call this."""
        series = {" ".join(key): series for key, series in list(self._series.items())}
        return {
            "processes": 1,
            "number": {f"{key} {status}": n for key, one in series.items() for status, n in list(one.statuses.items())},
            "seconds": {key: one.seconds for key, one in series.items()},
            "buckets": {key: list(one.buckets) for key, one in series.items()},
            "problems": dict(self._problems),
            "counters": self._read("counter"),
            "gauges": self._read("gauge"),
        }

    def _read(self, kind: str) -> dict[str, dict[str, float]]:
        return {one.name: dict(callback()) for one, callback in self._callbacks.items() if one.kind == kind}

    def _add_series(self, operation: str, method: str) -> "_Series":
        # Without an operation the method can be any token. Clients must not fill the memory with invented ones.
        key = operation, method if method in _METHODS else _OTHER_METHODS
        return self._series.setdefault(key, _Series())


class _Series:
    """The requests to one operation with one method."""

    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.seconds = 0.0
        self.buckets = [0] * (len(DURATION_BUCKETS) + 1)


def merge(one: Any, other: Any) -> Any:
    """Return the sum of the counts of two processes."""
    match one:
        case dict():
            return one | {name: merge(one[name], value) if name in one else value for name, value in other.items()}
        case list():
            return [merge(*pair) for pair in zip(one, other, strict=True)]
    return one + other
