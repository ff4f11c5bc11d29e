"""Metrics in the text format of Prometheus."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from accord.telemetry.metrics import DURATION_BUCKETS, INSTRUMENTS, Counts

_ENDS = [*map(str, DURATION_BUCKETS), "+Inf"]


def registry(read: Callable[[], Counts]) -> CollectorRegistry:
    """Return a registry whose metrics are read from *read* at each scrape."""
    collectors = CollectorRegistry()
    collectors.register(_Collector(read))
    return collectors


def exposition(counts: Counts) -> str:
    """Return the counts in the text format of Prometheus."""
    return generate_latest(registry(lambda: counts)).decode()


class _Collector(Collector):
    def __init__(self, read: Callable[[], Counts]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        counts = self._read()
        yield GaugeMetricFamily("accord_worker_processes", "Server processes.", counts.get("processes", 0))
        requests = CounterMetricFamily(
            "accord_http_requests", "Completed requests.", labels=["operation", "method", "status"]
        )
        for key, number in counts.get("number", {}).items():
            requests.add_metric(key.split(" "), number)
        yield requests
        durations = HistogramMetricFamily(
            "accord_http_request_duration_seconds", "Durations of requests.", labels=["operation", "method"]
        )
        for key, buckets in counts.get("buckets", {}).items():
            durations.add_metric(
                key.split(" "), [*zip(_ENDS, accumulate(buckets), strict=True)], counts["seconds"][key]
            )
        yield durations
        problems = CounterMetricFamily("accord_problems", "Problems in responses.", labels=["type"])
        for name, number in counts.get("problems", {}).items():
            problems.add_metric([name], number)
        yield problems
        yield from _metric_families(counts)


def _metric_families(counts: Counts) -> Iterator[Metric]:
    for instrument in INSTRUMENTS:
        family_type = CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily
        family = family_type(instrument.name, instrument.help, labels=[instrument.label] if instrument.label else [])
        for value, number in counts.get(f"{instrument.kind}s", {}).get(instrument.name, {}).items():
            family.add_metric([value] if instrument.label else [], number)
        if family.samples:
            yield family
