"""What went on during the last hour, in steps of ten seconds."""

from collections import deque
from datetime import UTC, datetime
from time import time
from typing import Any

from accord.telemetry import metrics
from accord.telemetry.metrics import DURATION_BUCKETS, Counts, Instrument, Metrics

INTERVAL = 10
"""Seconds."""
LENGTH = 360
"""Steps that are kept: an hour."""

Samples = dict[str, Counts]
"""What happened in each step, by its number since 1970 as text: how often in it, and gauges at their highest."""


class History:
    """The last hour of one process; `look` is to be called every second."""

    def __init__(self, counted: Metrics) -> None:
        self._metrics = counted
        self._samples: deque[tuple[int, Counts]] = deque(maxlen=LENGTH)
        self._sample = _now()
        self._previous = _sum(counted.snapshot())
        self._highest: dict[str, float] = {}

    def sample(self) -> None:
        """Notice how high the gauges are, and end the step when it is over."""
        counts = _sum(self._metrics.snapshot())
        gauges = counts.pop("gauges")
        self._highest = {name: max(value, self._highest.get(name, 0)) for name, value in gauges.items()}
        if (step := _now()) != self._sample:
            self._samples.append((self._sample, _difference(self._previous, counts) | {"gauges": self._highest}))
            self._previous, self._sample, self._highest = counts, step, {}

    def samples(self) -> Samples:
        return {str(step): counts for step, counts in list(self._samples)}


def summarize(samples: Samples, *, processes: int) -> dict[str, Any]:
    """Return the last hour as whoever runs the service wants to see it: how much a second, how long, how full."""
    end = _now()
    begin = max(end - LENGTH, min(map(int, samples), default=end))
    return {
        "step": INTERVAL,
        "processes": processes,
        "moments": [_summarize_sample(step, samples.get(str(step), {})) for step in range(begin, end)],
    }


def _summarize_sample(sample: int, counts: Counts) -> dict[str, Any]:
    def a_second(name: str) -> float:
        number: float = counts.get(name, 0)
        return number / INTERVAL

    def measured(measure: Instrument) -> float:
        value: float = counts.get(f"{measure.kind}s", {}).get(measure.name, 0)
        return value / INTERVAL if measure.kind == "counter" else value

    buckets = counts.get("buckets", [])
    return {
        "at": datetime.fromtimestamp(sample * INTERVAL, UTC),
        "requests": sum(buckets) / INTERVAL,
        "refused": a_second("refused"),
        "failed": a_second("failed"),
        "p50": _percentile(buckets, 0.50),
        "p95": _percentile(buckets, 0.95),
        "p99": _percentile(buckets, 0.99),
        "in_flight": measured(metrics.IN_FLIGHT),
        "limited": measured(metrics.RATE_LIMIT_REJECTIONS),
        "cache_hits": measured(metrics.RESPONSE_CACHE_HITS),
        "cache_misses": measured(metrics.RESPONSE_CACHE_MISSES),
        "pool_size": measured(metrics.POOL_SIZE),
        "pool_in_use": measured(metrics.POOL_IN_USE),
        "pool_waits": measured(metrics.POOL_WAITS),
    }


def _percentile(buckets: list[int], share: float) -> float | None:
    """Return the milliseconds in which this share was answered, as far as the buckets tell; None of nothing."""
    wanted, below, start = share * sum(buckets), 0, 0.0
    for number, end in zip(buckets, [*DURATION_BUCKETS, DURATION_BUCKETS[-1]], strict=False):
        if number and below + number >= wanted:
            return round(1000 * (start + (end - start) * (wanted - below) / number), 3)
        below, start = below + number, end
    return None


def _sum(counts: Counts) -> Counts:
    """Return the counts of all operations together."""
    by_class: dict[str, int] = {}
    for key, number in counts["number"].items():
        status = key.rpartition(" ")[2]
        by_class[status[0]] = by_class.get(status[0], 0) + number
    measured = {kind: {name: sum(each.values()) for name, each in counts[kind].items()} for kind in _MEASURED}
    buckets = [sum(column) for column in zip(*counts["buckets"].values(), strict=True)]
    refused, failed = by_class.get("4", 0), by_class.get("5", 0)
    return {"buckets": buckets or [0] * (len(DURATION_BUCKETS) + 1), "refused": refused, "failed": failed} | measured


def _difference(before: Any, now: Any) -> Any:
    match now:
        case dict():
            return {name: _difference(before.get(name, 0), value) for name, value in now.items()}
        case list():
            return [_difference(*pair) for pair in zip(before, now, strict=True)]
    return now - before


def _now() -> int:
    return int(time() // INTERVAL)


_MEASURED = ("counters", "gauges")
