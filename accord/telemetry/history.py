"""The metrics of the last hour, in samples of ten seconds."""

from collections import deque
from datetime import UTC, datetime
from time import time
from typing import Any

from accord.telemetry import metrics
from accord.telemetry.metrics import DURATION_BUCKETS, Counts, Instrument, Metrics

INTERVAL = 10  # seconds
LENGTH = 360
"""Number of samples that are stored: an hour."""

Samples = dict[str, Counts]
"""Counts of each sample, by its number since 1970 as text: increments of counters, and the maximum of each gauge."""


class History:
    """The last hour of one process. `sample` must be called every second."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._samples: deque[tuple[int, Counts]] = deque(maxlen=LENGTH)
        self._sample = _now()
        self._previous = _sum(metrics.snapshot())
        self._highest: dict[str, float] = {}

    def sample(self) -> None:
        """Record the maximum of the gauges, and complete the current sample when its time is over."""
        counts = _sum(self._metrics.snapshot())
        gauges = counts.pop("gauges")
        self._highest = {name: max(value, self._highest.get(name, 0)) for name, value in gauges.items()}
        if (now := _now()) != self._sample:
            self._samples.append((self._sample, _difference(self._previous, counts) | {"gauges": self._highest}))
            self._previous, self._sample, self._highest = counts, now, {}

    def samples(self) -> Samples:
        """Return the completed samples. Any thread may call this."""
        return {str(sample): counts for sample, counts in list(self._samples)}


def summarize(samples: Samples, *, processes: int) -> dict[str, Any]:
    """Return the last hour as `get_metrics_history` has it: rates per second, percentiles of the duration, gauges."""
    end = _now()
    begin = max(end - LENGTH, min(map(int, samples), default=end))
    return {
        "step": INTERVAL,
        "processes": processes,
        "samples": [_summarize_sample(sample, samples.get(str(sample), {})) for sample in range(begin, end)],
    }


def _summarize_sample(sample: int, counts: Counts) -> dict[str, Any]:
    def per_second(name: str) -> float:
        number: float = counts.get(name, 0)
        return number / INTERVAL

    def reading(instrument: Instrument) -> float:
        value: float = counts.get(f"{instrument.kind}s", {}).get(instrument.name, 0)
        return value / INTERVAL if instrument.kind == "counter" else value

    buckets = counts.get("buckets", [])
    return {
        "at": datetime.fromtimestamp(sample * INTERVAL, UTC),
        "requests": sum(buckets) / INTERVAL,
        "refused": per_second("refused"),
        "failed": per_second("failed"),
        "p50": _percentile(buckets, 0.50),
        "p95": _percentile(buckets, 0.95),
        "p99": _percentile(buckets, 0.99),
        "in_flight": reading(metrics.IN_FLIGHT),
        "limited": reading(metrics.RATE_LIMIT_REJECTIONS),
        "cache_hits": reading(metrics.RESPONSE_CACHE_HITS),
        "cache_misses": reading(metrics.RESPONSE_CACHE_MISSES),
        "pool_size": reading(metrics.POOL_SIZE),
        "pool_in_use": reading(metrics.POOL_IN_USE),
        "pool_waits": reading(metrics.POOL_WAITS),
    }


def _percentile(buckets: list[int], share: float) -> float | None:
    """Return the milliseconds within which *share* of the requests ended, interpolated, or None without requests."""
    wanted, below, start = share * sum(buckets), 0, 0.0
    for number, end in zip(buckets, [*DURATION_BUCKETS, DURATION_BUCKETS[-1]], strict=False):
        if number and below + number >= wanted:
            return round(1000 * (start + (end - start) * (wanted - below) / number), 3)
        below, start = below + number, end
    return None


def _sum(counts: Counts) -> Counts:
    """Return the counts summed over all operations."""
    by_class: dict[str, int] = {}
    for key, number in counts["number"].items():
        status = key.rpartition(" ")[2]
        by_class[status[0]] = by_class.get(status[0], 0) + number
    readings = {kind: {name: sum(each.values()) for name, each in counts[kind].items()} for kind in _KINDS}
    buckets = [sum(column) for column in zip(*counts["buckets"].values(), strict=True)]
    refused, failed = by_class.get("4", 0), by_class.get("5", 0)
    return {"buckets": buckets or [0] * (len(DURATION_BUCKETS) + 1), "refused": refused, "failed": failed} | readings


def _difference(before: Any, now: Any) -> Any:
    match now:
        case dict():
            return {name: _difference(before.get(name, 0), value) for name, value in now.items()}
        case list():
            return [_difference(*pair) for pair in zip(before, now, strict=True)]
    return now - before


def _now() -> int:
    return int(time() // INTERVAL)


_KINDS = ("counters", "gauges")
