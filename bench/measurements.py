"""The measurements. Each returns samples: the values of each metric, by server and measurement, a sample a round."""

import itertools
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import click
import psutil

from bench.databases import DatabaseOf, Shop, postgres, sqlite
from bench.load import Load, LoadError, load, load_groups, paced_load
from bench.servers import DatabaseKind, Peer, Server, WrongResponse, accord_settings, serving
from bench.workloads import BY_ID, CREATE, MIXED, Workload, check_refusals

Sample = dict[str, float]
"""Values by metric: rates per second, `cpu` in microseconds a request, latencies in milliseconds, memory in MB."""
Samples = dict[tuple[str, str], list[Sample]]
"""Samples by the names of peer and measurement, one of each round."""

Turn = TypeVar("Turn", bound=tuple[object, ...])

COMMANDS = {"help": ("--help",), "check": ("check",)}
"""Arguments of the measured commands of Accord, by name of the measurement."""
WORKERS = 2
"""Number of worker processes under mixed traffic, and of the additional rows for memory and start."""
FIRST_WARM_UP = 1.0
WARM_UP = 0.3

_REST = 0.02
"""Part of a processor below which a server is at rest."""


@dataclass(frozen=True)
class Conditions:
    """How long and how often to measure. A complete memory measurement stores more responses than the cache takes."""

    rounds: int
    seconds: float
    connections: int
    memory_requests: int
    memory_rounds: int = 1


@dataclass
class Bench:
    """The environment of the servers: their databases, which start when they are needed, and their processors."""

    folder: Path
    interpreters: Mapping[str, str]
    cpus: Sequence[int]
    conditions: Conditions
    stack: ExitStack
    _databases: dict[DatabaseKind, tuple[DatabaseOf, Shop]] = field(default_factory=dict)

    @contextmanager
    def serve(self, peer: Peer) -> Iterator[tuple[Server, Shop]]:
        """Start the server on as many processors as it has workers, and stop it."""
        database_of, shop = self.database_of(peer)
        database = database_of(peer.name, peer.checkout)
        with serving(peer, database, self.folder, self.interpreters, self.cpus[: peer.workers]) as server:
            yield server, shop

    def database_of(self, peer: Peer) -> tuple[DatabaseOf, Shop]:
        if peer.database not in self._databases:
            opened = postgres if peer.database == "postgresql" else sqlite
            self._databases[peer.database] = self.stack.enter_context(opened(self.folder))
        return self._databases[peer.database]

    def start(self, peers: Sequence[Peer], stack: ExitStack) -> list[tuple[Server, Shop]]:
        """Start all servers, and check that they refuse what they must. The stack stops them."""
        started = []
        for peer in peers:
            server, shop = stack.enter_context(self.serve(peer))
            check_refusals(server, shop)
            server.database.forget()
            started.append((server, shop))
        return started

    def run(self, server: Server, shop: Shop, workload: Workload, *, is_first: bool) -> Sample:
        """Load the server as fast as it responds, after a warm-up, and return throughput, costs and latencies."""
        messages = workload.messages(server, shop)
        run = partial(load, server.port, messages, statuses=workload.statuses, connections=self.conditions.connections)
        run(seconds=FIRST_WARM_UP if is_first else WARM_UP)
        before = server.cpu_seconds, server.database.cpu_seconds
        measured = run(seconds=self.conditions.seconds)
        after = server.cpu_seconds, server.database.cpu_seconds
        cpu, database_cpu = ((b - a) / len(measured.latencies) * 1e6 for a, b in zip(before, after, strict=True))
        return {
            "per_second": measured.per_second,
            "cpu": cpu,
            "database_cpu": database_cpu,
            "busy": measured.per_second * cpu / 1e6,
            **_latencies(measured),
        }


def measure_throughput(bench: Bench, peers: Sequence[Peer], workloads: Sequence[Workload]) -> Samples:
    """Measure each request with one worker. In each round, each request of each server is measured once, in turns."""
    samples: Samples = defaultdict(list)
    with ExitStack() as stack:
        started = bench.start(peers, stack)
        turns = [(number, *turn) for number in range(bench.conditions.rounds) for turn in _product(workloads, started)]
        for number, workload, server, shop in _progress("Throughput", turns):
            with _turn(server, shop, workload):
                sample = bench.run(server, shop, workload, is_first=not number)
            samples[server.peer.name, workload.name].append(sample)
    return samples


def measure_mixed(bench: Bench, peers: Sequence[Peer]) -> Samples:
    """Measure the throughput of mixed traffic, and then latencies at half of the median, with two workers."""
    fastest: Samples = defaultdict(list)
    samples: Samples = defaultdict(list)
    rounds = range(bench.conditions.rounds)
    with ExitStack() as stack:
        started = bench.start([replace(peer, workers=WORKERS) for peer in peers], stack)
        turns = [(number, *turn) for number in rounds for turn in _product([MIXED], started)]
        for number, workload, server, shop in _progress("Mixed traffic", turns):
            with _turn(server, shop, workload):
                sample = bench.run(server, shop, workload, is_first=not number)
            fastest[server.peer.name, MIXED.name].append(sample)
        for number, workload, server, shop in _progress("Mixed traffic at half the rate", turns):
            key = server.peer.name, MIXED.name
            rate = median(sample["per_second"] for sample in fastest[key]) / 2
            with _turn(server, shop, workload):
                measured = paced_load(
                    server.port,
                    MIXED.messages(server, shop),
                    statuses=MIXED.statuses,
                    connections=bench.conditions.connections,
                    per_second=rate,
                    seconds=bench.conditions.seconds,
                )
            samples[key].append(fastest[key][number] | {"rate": rate} | _latencies(measured))
    return samples


def measure_writer(bench: Bench, peers: Sequence[Peer]) -> Samples:
    """Measure reads by id while one connection creates products, on SQLite, which has one writer at a time."""
    samples: Samples = defaultdict(list)
    with ExitStack() as stack:
        started = bench.start(peers, stack)
        turns = [(number, *turn) for number in range(bench.conditions.rounds) for turn in _product([CREATE], started)]
        for _, workload, server, shop in _progress("Reads beside a writer", turns):
            groups = [
                (BY_ID.messages(server, shop), max(1, bench.conditions.connections - 1)),
                (CREATE.messages(server, shop), 1),
            ]
            run = partial(load_groups, server.port, groups, statuses=(*BY_ID.statuses, *CREATE.statuses))
            with _turn(server, shop, workload):
                run(seconds=WARM_UP)
                reads, writes = run(seconds=bench.conditions.seconds)
            latencies = {f"write_{name}": value for name, value in _latencies(writes).items()}
            samples[server.peer.name, "writer"].append(
                {"per_second": reads.per_second, "writes": writes.per_second, **_latencies(reads), **latencies}
            )
    return samples


def measure_start(bench: Bench, peers: Sequence[Peer]) -> Samples:
    """Measure the time from starting the command to the first 200. A start before the first round is not counted."""
    samples: Samples = defaultdict(list)
    turns = [(number, peer) for number in range(bench.conditions.rounds + 1) for peer in with_workers(peers)]
    for number, peer in _progress("Start", turns):
        with bench.serve(peer) as (server, _):
            if number:
                cpu = server.cpu_seconds
                samples[peer.name, "start"].append({"seconds": server.start_seconds, "cpu_seconds": cpu})
    return samples


def measure_memory(bench: Bench, peers: Sequence[Peer]) -> Samples:
    """Measure the memory of all processes of a server that runs alone, at rest after its start and after requests."""
    samples: Samples = defaultdict(list)
    turns = [(number, peer) for number in range(bench.conditions.memory_rounds) for peer in with_workers(peers)]
    for _, peer in _progress("Memory", turns):
        with bench.serve(peer) as (server, shop):
            sample: Sample = {}
            messages = MIXED.messages(server, shop)
            half = bench.conditions.memory_requests // 2
            for moment, count in ("start", 0), ("half", half), ("end", bench.conditions.memory_requests - half):
                with _turn(server, shop, MIXED, is_checked=False):
                    load(
                        server.port,
                        itertools.islice(messages, count),
                        statuses=MIXED.statuses,
                        connections=bench.conditions.connections,
                        seconds=float("inf"),
                    )
                _wait_until_at_rest(server)
                sample[f"rss_{moment}"], sample[f"pss_{moment}"] = server.memory
        samples[peer.name, "memory"].append(sample)
    return samples


def measure_commands(bench: Bench, peers: Sequence[Peer]) -> Samples:
    """Measure commands of Accord that end by themselves, on PostgreSQL."""
    samples: Samples = defaultdict(list)
    turns = [
        (number, name, peer)
        for number in range(bench.conditions.rounds + 1)
        for name in COMMANDS
        for peer in peers
    ]  # fmt: skip
    for number, name, peer in _progress("Commands", turns):
        database_of, _ = bench.database_of(peer)
        settings = accord_settings(peer, database_of(peer.name, peer.checkout), bench.folder)
        began = time.perf_counter()
        process = psutil.Popen(
            [peer.checkout.python, "main.py", *COMMANDS[name]],
            cwd=peer.checkout.root,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, bench.cpus[:1]),
        )
        assert process.stdout
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise WrongResponse(f"{peer.name}: main.py {name} failed:\n{output.decode(errors='replace')[-2000:]}")
        if number:
            samples[peer.name, name].append({"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime})
    return samples


def with_workers(peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers, and after each Accord with its usual settings the same one with two workers."""
    rows: list[Peer] = []
    for peer in peers:
        rows.append(peer)
        if peer.is_accord and not peer.settings:
            name, title = f"{peer.name}-{WORKERS}", f"{peer.title}, two workers"
            rows.append(replace(peer, name=name, title=title, workers=WORKERS))
    return rows


def _latencies(measured: Load) -> Sample:
    return {"p50": measured.percentile(50), "p99": measured.percentile(99), "p999": measured.percentile(99.9)}


def _product(
    workloads: Sequence[Workload], started: Sequence[tuple[Server, Shop]]
) -> Iterator[tuple[Workload, Server, Shop]]:
    return ((workload, *server) for workload, server in itertools.product(workloads, started))


@contextmanager
def _turn(server: Server, shop: Shop, workload: Workload, *, is_checked: bool = True) -> Iterator[None]:
    """Check a response before the load, and delete afterwards what the load has written."""
    if is_checked:
        workload.check(server, shop)
    try:
        yield
    except LoadError as error:
        raise WrongResponse(f"{server.peer.name}, {workload.name}: {error}") from error
    if workload.writes:
        server.database.forget()


def _wait_until_at_rest(server: Server) -> None:
    """Wait until the processes do almost nothing, such as those of workers that start after the first response."""
    step = 0.5
    for _ in range(60):
        before = server.cpu_seconds
        time.sleep(step)
        if server.cpu_seconds - before < _REST * step:
            return
    raise WrongResponse(f"{server.peer.name} is busy without requests.")


def _progress(label: str, turns: Sequence[Turn]) -> Iterator[Turn]:
    with click.progressbar(turns, label=label, item_show_func=_describe_turn) as progress:
        yield from progress


def _describe_turn(turn: tuple[object, ...] | None) -> str:
    names = (getattr(part, "name", part.peer.name if isinstance(part, Server) else "") for part in turn or ())
    return ", ".join(filter(None, names))
