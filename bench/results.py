"""The results of the benchmark as Markdown tables."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import install
from bench.load import Load
from bench.servers import FASTAPI, FASTAPI_SQLITE, LIMIT, Peer
from bench.workloads import Workload

_FULLY_BUSY = 0.9
_METHOD = """\
- {conditions}. Servers take turns within a round, and all of them stay up.
- One worker process runs on one processor. The load, from Python over persistent connections, and PostgreSQL run on
  another.
- Accord runs with everything on: security, validation of requests and responses, links, audit log, rate limits (so
  high that no request exceeds one), access log, metrics. It caches responses about the catalogue while nothing changes,
  except in the rows without the response cache. Its peers follow their own documentation and cache and log nothing.
  They also filter deleted products and check token, body and category.
- All servers have the same tables, indexes and rows, and 10 connections to the database. Created products are deleted
  after each measurement. PostgreSQL does not wait for the disk, so that servers are measured and not disks.
- The content of a response is checked once a turn, the status of every response. CPU and database are user and system
  time of the processes of the server and of PostgreSQL for each request. Busy is the part of its processor that the
  server used. ¹ The server waited, for PostgreSQL unless other programs interfered, and could do more."""


@dataclass(frozen=True)
class Block:
    """The measurement of one server under one load."""

    load: Load
    cpu_seconds: float
    database_cpu_seconds: float


@dataclass(frozen=True)
class Row:
    """The medians over all rounds: processor times in microseconds, latencies in milliseconds."""

    per_second: float
    cpu: float
    database_cpu: float
    p50: float
    p99: float

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Row":
        return cls(
            per_second=median(block.load.per_second for block in blocks),
            cpu=median(block.cpu_seconds / len(block.load.latencies) for block in blocks) * 1e6,
            database_cpu=median(block.database_cpu_seconds / len(block.load.latencies) for block in blocks) * 1e6,
            p50=median(block.load.percentile(50) for block in blocks),
            p99=median(block.load.percentile(99) for block in blocks),
        )

    @property
    def busy(self) -> float:
        """Return the part of its processor that the server used."""
        return self.per_second * self.cpu / 1e6


Rows = dict[tuple[str, str], Row]
"""Rows by the names of peer and workload."""


def tables(rows: Rows, peers: Iterable[Peer], workloads: Sequence[Workload]) -> str:
    """Return all tables as Markdown, which is also readable in a terminal."""
    peers = list(peers)
    parts = []
    for heading, database in (("PostgreSQL", "postgresql"), ("SQLite", "sqlite")):
        if peers_on := [peer for peer in peers if peer.database == database]:
            parts += [f"## On {heading}", *(_table(rows, peers_on, workload) for workload in workloads)]
    return "\n\n".join(parts)


def document(rows: Rows, peers: Sequence[Peer], workloads: Sequence[Workload], conditions: str) -> str:
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
        tables(rows, peers, workloads),
        "## Method",
        _METHOD.format(conditions=conditions),
        "## Versions",
        "\n".join([f"- Accord: {', '.join(f'{name} {version(name)}' for name in own)}", *versions]),
        "## Repeat",
        "`make bench` measures everything. README.md in this folder describes how to measure a part.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Rows, peers: Sequence[Peer], workload: Workload) -> str:
    fastapi = rows.get((FASTAPI_SQLITE.name if peers[0].database == "sqlite" else FASTAPI.name, workload.name))
    limit = rows.get((LIMIT.name, workload.name)) if peers[0].database == "postgresql" else None
    header = [workload.title, "requests/s", "FastAPI = 1", "limit", "CPU µs", "database µs", "p50 ms", "p99 ms", "busy"]
    cells = [header]
    for peer in peers:
        row = rows[peer.name, workload.name]
        cells.append(
            [
                peer.title,
                f"{row.per_second:,.0f}",
                f"{row.per_second / fastapi.per_second:.2f}" if fastapi else "",
                f"{row.per_second / limit.per_second:.0%}" if limit else "",
                f"{row.cpu:,.0f}",
                f"{row.database_cpu:,.0f}",
                f"{row.p50:.1f}",
                f"{row.p99:.1f}",
                f"{row.busy:.0%}" + ("" if row.busy > _FULLY_BUSY else " ¹"),
            ]
        )
    filled = [index for index in range(len(header)) if any(line[index] not in ("", "0") for line in cells[1:])]
    cells = [[line[index] for index in filled] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(line, widths) for line in cells]
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"


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
