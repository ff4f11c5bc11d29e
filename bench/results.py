"""The results of the benchmark as Markdown tables: medians, spreads, and ratios of two revisions."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import install
from bench.measurements import COMMANDS, Conditions, Sample, Samples, with_workers
from bench.servers import FASTAPI, FASTAPI_SQLITE, LIMIT, Peer
from bench.tables import render
from bench.workloads import MIXED, WORKLOADS

HEADINGS = {"postgresql": "On PostgreSQL", "sqlite": "On SQLite"}
COSTS = "Memory and start"
REVISIONS = "Ratios"

_FULLY_BUSY = 0.9
_RATES = ("per_second", "writes")
"""Metrics of which more is better."""
_RATIOS = {
    **{workload.name: ("cpu", "per_second", "p99") for workload in WORKLOADS},
    MIXED.name: ("cpu", "per_second", "p50", "p99", "p999"),
    "writer": ("per_second", "writes", "p99", "write_p99"),
    "memory": ("rss_start", "pss_start", "rss_end", "pss_end"),
    "start": ("seconds", "cpu_seconds"),
    **dict.fromkeys(COMMANDS, ("seconds", "cpu_seconds")),
}
_METRICS = {
    "cpu": "CPU a request",
    "per_second": "requests/s",
    "writes": "writes/s",
    "p50": "p50",
    "p99": "p99",
    "p999": "p99.9",
    "write_p99": "p99 of writes",
    "rss_start": "RSS after start",
    "pss_start": "PSS after start",
    "rss_end": "RSS after the requests",
    "pss_end": "PSS after the requests",
    "seconds": "time",
    "cpu_seconds": "CPU",
}
_METHOD = """\
- {connections} connections, the median of {rounds} rounds of {seconds:g} s. Servers take turns within a round, and all
  of them stay up. ± is half the difference of the highest and the lowest round, as a part of the median.
- One worker process runs on one processor. The load, from Python over persistent connections, and PostgreSQL run on
  another. Two workers run on two processors. With only two, they share the second with the load and PostgreSQL.
- Accord runs with everything on: security, validation of requests and responses, links, audit log, rate limits (so
  high that no request exceeds one), access log, metrics. It caches responses about the catalogue while nothing changes,
  except in the rows without the response cache. Its peers follow their own documentation and cache and log nothing.
  They also filter deleted products and check token, body and category.
- An order takes its units from stock, gets the next number of the year, and is stored with its response under its
  idempotency key, all in one transaction and with a new key for each order. Before the measurement, each server is
  asked for more units than there are by orders at the same time, and for the same order several times at once.
- Mixed traffic reads all products and their pages, with 45 requests by id, 4 lists and 1 create of 50. Its latencies
  are those at half of the throughput in the same table. Requests are sent on schedule, however long the responses take,
  and a latency counts from the scheduled time. With fewer than 1,000 requests in a round, p99.9 is the slowest one.
- Beside one writer, one connection creates products as fast as the server responds, and all others read by id.
- All servers have the same tables, indexes and rows, and 10 connections to the database for each worker. Created
  products and orders are deleted after each measurement. PostgreSQL does not wait for the disk, so that servers are
  measured and not disks.
- The content of a response is checked once a turn, the status of every response. CPU and database are user and system
  time of the processes of the server and of PostgreSQL for each request. Busy is the part of its processor that the
  server used. ¹ The server waited, for PostgreSQL unless other programs interfered, and could do more.
- Memory is that of all processes of a server which runs alone, in MB of 1,000,000 bytes: resident (RSS), and with
  shared pages divided among the processes that share them (PSS). Other programs with the same libraries take a part of
  these pages, as the benchmark does. Memory is read when the server is at rest after its start, after half of
  {memory_requests:,} requests of mixed traffic, and after all of them.
- Start is the time from starting the command to the first response with 200, for a bytecode cache and a page cache that
  an earlier start has filled."""


@dataclass(frozen=True)
class Column:
    """A column of a table: how to reduce the samples of a metric to one value, and how to write it."""

    heading: str
    metric: str
    form: str = ",.1f"
    reduce: Callable[[Sequence[float]], float] = median
    relative_to: str = ""
    """Name of the peer whose value is the unit."""

    def cell(self, samples: Mapping[str, Sequence[Sample]], peer: str) -> str:
        """Return the value for this peer, and nothing if it or its unit was not measured."""
        values = [sample[self.metric] for sample in samples[peer] if self.metric in sample]
        units = [sample[self.metric] for sample in samples.get(self.relative_to, ())]
        if not values or (self.relative_to and not units):
            return ""
        value = self.reduce(values) / (self.reduce(units) if self.relative_to else 1)
        return format(value, self.form)


def spread(values: Sequence[float]) -> float:
    """Return half the difference of the highest and lowest value, as a part of the median."""
    return (max(values) - min(values)) / 2 / median(values)


@dataclass(frozen=True)
class Ratio:
    """The ratios of a metric of two servers: of each round, and of the best values of all rounds."""

    rounds: Sequence[float]
    best: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float], *, is_rate: bool = False) -> "Ratio":
        """Return the ratios of *ours* to *theirs*, by rounds. The best rate is the highest."""
        best = max if is_rate else min
        return cls([one / other for one, other in zip(ours, theirs, strict=True)], best(ours) / best(theirs))


def tables(samples: Samples, peers: Iterable[Peer], conditions: Conditions) -> str:
    """Return all tables as Markdown, which is also readable in a terminal."""
    peers = list(peers)
    parts = []
    for database, heading in HEADINGS.items():
        peers_on = [peer for peer in peers if peer.database == database]
        unit = FASTAPI_SQLITE.name if database == "sqlite" else FASTAPI.name
        measured = [
            *(_table(samples, peers_on, each.name, each.title, _throughput(unit, database)) for each in WORKLOADS),
            _table(samples, peers_on, MIXED.name, MIXED.title, _mixed(unit)),
            _table(samples, peers_on, "writer", "Reads by id beside one writer", _WRITER),
        ]
        if any(measured):
            parts += [f"## {heading}", *filter(None, measured)]
    costs = [
        _table(samples, with_workers(peers), "memory", "Memory in MB", _memory(conditions.memory_requests)),
        _table(samples, with_workers(peers), "start", "Start", _START),
        *(
            _table(samples, peers, name, f"`main.py {' '.join(arguments)}`", _START)
            for name, arguments in COMMANDS.items()
        ),
    ]
    if any(costs):
        parts += [f"## {COSTS}", *filter(None, costs)]
    return "\n\n".join(parts)


def ratio_table(samples: Samples, pairs: Sequence[tuple[Peer, Peer]], sides: str) -> str:
    """Return the ratios of each metric of the first peer of a pair to the second. *sides* says what was measured."""
    header = ["", "measurement", "metric", "ratio", "lowest", "highest", "ratio of the best"]
    cells = [header]
    named = {peer.name: peer for pair in pairs for peer in with_workers(pair)}
    for ours, theirs in pairs:
        both = with_workers([ours]), with_workers([theirs])
        for one, other in zip(*both, strict=True):
            for measurement, metrics in _RATIOS.items():
                first, second = samples.get((one.name, measurement)), samples.get((other.name, measurement))
                if first and second:
                    title = f"{named[one.name].title.strip('*')} ({one.database})".replace("**", "")
                    cells += [[title, measurement, *_ratio_cells(first, second, metric)] for metric in metrics]
    return "\n\n".join(
        [
            f"## {REVISIONS}",
            f"{sides} Below 1, this revision has less of the metric than the other one.",
            render(cells, texts=3),
        ]
    )


def document(samples: Samples, peers: Sequence[Peer], conditions: Conditions, ratios: str = "") -> str:
    """Return the text of RESULTS.md."""
    versions = [f"- {peer.title.strip('*')} ({peer.database}): {_versions(peer)}" for peer in peers if peer.packages]
    own = ("connexion", "sqlalchemy", "asyncpg", "uvicorn", "orjson", "jsonschema-rs", "marshmallow")
    parts = [
        "# Accord and its peers",
        ", ".join(
            [
                f"{datetime.now(UTC):%Y-%m-%d}",
                _cpu_model(),
                f"{os.cpu_count()} cores",
                f"{platform.system()} {platform.release()}",
                f"Python {platform.python_version()}.",
            ]
        ),
        tables(samples, peers, conditions),
        ratios,
        "## Method",
        _METHOD.format(**vars(conditions)),
        "## Versions",
        "\n".join([f"- Accord: {', '.join(f'{name} {version(name)}' for name in own)}", *versions]),
        "## Repeat",
        "`make bench` measures everything. README.md in this folder describes how to measure a part.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _throughput(unit: str, database: str) -> list[Column]:
    return [
        Column("requests/s", "per_second", ",.0f"),
        Column("±", "per_second", ".0%", spread),
        Column("FastAPI = 1", "per_second", ",.2f", relative_to=unit),
        *([Column("limit", "per_second", ".0%", relative_to=LIMIT.name)] if database == "postgresql" else []),
        Column("CPU µs", "cpu", ",.0f"),
        Column("CPU ±", "cpu", ".0%", spread),
        Column("database µs", "database_cpu", ",.0f"),
        Column("p50 ms", "p50"),
        Column("p99 ms", "p99"),
        Column("busy", "busy", ".0%"),
    ]


def _mixed(unit: str) -> list[Column]:
    return [
        Column("requests/s", "per_second", ",.0f"),
        Column("±", "per_second", ".0%", spread),
        Column("FastAPI = 1", "per_second", ",.2f", relative_to=unit),
        Column("CPU µs", "cpu", ",.0f"),
        Column("half of it/s", "rate", ",.0f"),
        Column("p50 ms", "p50"),
        Column("p99 ms", "p99"),
        Column("p99.9 ms", "p999"),
    ]


_WRITER = [
    Column("reads/s", "per_second", ",.0f"),
    Column("±", "per_second", ".0%", spread),
    Column("writes/s", "writes", ",.0f"),
    Column("writes ±", "writes", ".0%", spread),
    Column("read p50 ms", "p50"),
    Column("read p99 ms", "p99"),
    Column("write p50 ms", "write_p50"),
    Column("write p99 ms", "write_p99"),
]
_START = [
    Column("minimum s", "seconds", ",.2f", min),
    Column("median s", "seconds", ",.2f"),
    Column("±", "seconds", ".0%", spread),
    Column("CPU s", "cpu_seconds", ",.2f"),
]


def _memory(requests: int) -> list[Column]:
    return [
        Column(f"{size.upper()} {when}", f"{size}_{moment}", ",.0f")
        for moment, when in (
            ("start", "after start"),
            ("half", f"after {requests // 2:,}"),
            ("end", f"after {requests:,} requests"),
        )
        for size in ("rss", "pss")
    ]


def _table(
    samples: Samples, peers: Sequence[Peer], measurement: str, title: str, columns: Sequence[Column]
) -> str | None:
    """Return the table of a measurement, or None if no peer has it."""
    by_peer = {name: taken for (name, each), taken in samples.items() if each == measurement}
    measured = [peer for peer in peers if peer.name in by_peer]
    cells = [[title, *(column.heading for column in columns)]]
    for peer in measured:
        cells.append([_title(peer, measurement), *(column.cell(by_peer, peer.name) for column in columns)])
        busy = [sample["busy"] for sample in by_peer[peer.name] if "busy" in sample]
        if columns[-1].metric == "busy" and median(busy) <= _FULLY_BUSY:
            cells[-1][-1] += " ¹"
    return render(cells) if measured else None


def _title(peer: Peer, measurement: str) -> str:
    """Return the title of a row. Tables of both databases name the one that is not PostgreSQL."""
    is_shared = measurement in ("memory", "start", *COMMANDS)
    return f"{peer.title} on SQLite" if is_shared and peer.database == "sqlite" else peer.title


def _ratio_cells(ours: Sequence[Sample], theirs: Sequence[Sample], metric: str) -> list[str]:
    values = [[sample[metric] for sample in side] for side in (ours, theirs)]
    ratio = Ratio.of(*values, is_rate=metric in _RATES)
    figures = (median(ratio.rounds), min(ratio.rounds), max(ratio.rounds), ratio.best)
    return [_METRICS[metric], *(f"{figure:.2f}" for figure in figures)]


def _versions(peer: Peer) -> str:
    if peer.command[0] == "{node}":
        locked = json.loads((install.FASTIFY / "package-lock.json").read_text())["packages"]
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip("v\n")
        return ", ".join(
            [f"node {node}", *(f"{name} {locked[f'node_modules/{name}']['version']}" for name in peer.packages)]
        )
    locked = dict(re.findall(r"^([\w-]+)(?:\[[^]]*\])?==(\S+)", install.REQUIREMENTS.read_text(), re.MULTILINE))
    return ", ".join(f"{name} {locked[name]}" for name in peer.packages)


def _cpu_model() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()
