"""Counts as Prometheus reads them."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from accord.telemetry.metrics import DURATION_BUCKETS, INSTRUMENTS, Counts

_ENDS = [*map(str, DURATION_BUCKETS), "+Inf"]


def registry(read: Callable[[], Counts]) -> CollectorRegistry:
    """Return what shows the counts as they are when somebody asks."""
    made = CollectorRegistry()
    made.register(_Collector(read))
    return made


def exposition(counts: Counts) -> str:
    """Return the counts in Prometheus' text format."""
    return generate_latest(registry(lambda: counts)).decode()


class _Collector(Collector):
    def __init__(self, read: Callable[[], Counts]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        counts = self._read()
        yield GaugeMetricFamily("accord_worker_processes", "Server processes.", counts.get("processes", 0))
        requests = CounterMetricFamily(
            "accord_http_requests", "Requests that are over.", labels=["operation", "method", "status"]
        )
        for key, number in counts.get("number", {}).items():
            requests.add_metric(key.split(" "), number)
        yield requests
        durations = HistogramMetricFamily(
            "accord_http_request_duration_seconds", "How long requests took.", labels=["operation", "method"]
        )
        for key, buckets in counts.get("buckets", {}).items():
            durations.add_metric(
                key.split(" "), [*zip(_ENDS, accumulate(buckets), strict=True)], counts["seconds"][key]
            )
        yield durations
        problems = CounterMetricFamily("accord_problems", "Problems that were answered.", labels=["type"])
        for name, number in counts.get("problems", {}).items():
            problems.add_metric([name], number)
        yield problems
        yield from _metric_families(counts)


def _metric_families(counts: Counts) -> Iterator[Metric]:
    for measure in INSTRUMENTS:
        made = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
        family = made(measure.name, measure.help, labels=[measure.label] if measure.label else [])
        for value, number in counts.get(f"{measure.kind}s", {}).get(measure.name, {}).items():
            family.add_metric([value] if measure.label else [], number)
        if family.samples:
            yield family
