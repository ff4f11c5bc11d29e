"""The command line of the benchmark: measures the servers in turns, prints and writes the results."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from bench import install, plots, results
from bench.measurements import (
    Bench,
    Conditions,
    Samples,
    measure_commands,
    measure_memory,
    measure_mixed,
    measure_start,
    measure_throughput,
    measure_writer,
)
from bench.revision import Revision, checked_out, describe_here, find_revision, twin
from bench.servers import PEERS, Peer, WrongResponse
from bench.workloads import WORKLOADS

RESULTS = install.BENCH / "RESULTS.md"
OTHERS = {
    "mixed": measure_mixed,
    "writer": measure_writer,
    "memory": measure_memory,
    "start": measure_start,
    "commands": measure_commands,
}
"""Measurements other than the throughput of a request."""
MEASUREMENTS = (*(workload.name for workload in WORKLOADS), *OTHERS)


@click.command()
@click.option("--only", metavar="NAMES", help=f"Servers out of {', '.join(peer.name for peer in PEERS)}.")
@click.option("--requests", metavar="NAMES", help=f"Measurements out of {', '.join(MEASUREMENTS)}.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=2.0, show_default=True, help="Duration of each measurement."
)
@click.option("--connections", type=click.IntRange(1), default=32, show_default=True)
@click.option(
    "--memory-requests",
    type=click.IntRange(2),
    default=12_000,
    show_default=True,
    help="Requests after which memory is measured. 12,000 read all products, which fills the response cache.",
)
@click.option(
    "--against",
    metavar="REV",
    help="Measure Accord at this commit, branch or tag as well, and print ratios. Without --only, peers are left out.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the results; their plots are in the folder plots beside it.",
)
def main(
    only: str | None,
    requests: str | None,
    rounds: int,
    seconds: float,
    connections: int,
    memory_requests: int,
    against: str | None,
    output: Path | None,
) -> None:
    """
    Measure Accord and its peers.

    A complete run writes bench/RESULTS.md and its plots. A partial run only prints, unless it has --output.
    """
    measurements = _select(MEASUREMENTS, requests)
    names = _select([peer.name for peer in PEERS if peer.is_accord or only or not against], only)
    peers = [peer for peer in PEERS if peer.name in names]
    revision = find_revision(against) if against else None
    if revision and not any(peer.is_accord for peer in peers):
        raise click.UsageError("--against measures another revision of Accord, and --only has no Accord.")
    conditions = Conditions(rounds, seconds, connections, memory_requests, min(rounds, 3) if revision else 1)
    peers, interpreters = _installed(peers)
    # Some images set this variable. With it, every start compiles all modules again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    own_cpu, cpus = _processors()
    os.sched_setaffinity(0, {own_cpu})
    pairs: list[tuple[Peer, Peer]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
            if revision:
                checkout = stack.enter_context(checked_out(revision, Path(folder)))
                pairs = [(peer, twin(peer, revision, checkout)) for peer in peers if peer.is_accord]
                peers = _with_twins(peers, pairs)
            bench = Bench(Path(folder), interpreters, cpus, conditions, stack)
            samples = _measure(bench, peers, measurements)
    except WrongResponse as error:
        raise click.ClickException(str(error)) from error
    ratios = results.ratio_table(samples, pairs, _describe_sides(revision)) if revision else ""
    print("\n\n".join(filter(None, [results.tables(samples, peers, conditions), ratios])))
    if not (only or requests or against):
        output = output or RESULTS
    if output:
        _write(output, results.document(samples, peers, conditions, ratios))


def _with_twins(peers: Sequence[Peer], pairs: Sequence[tuple[Peer, Peer]]) -> list[Peer]:
    """Return the peers, each Accord followed by its twin, so that the two are measured one after the other."""
    twins = {ours.name: other for ours, other in pairs}
    rows: list[Peer] = []
    for peer in peers:
        rows += [peer, twins[peer.name]] if peer.name in twins else [peer]
    return rows


def _measure(bench: Bench, peers: Sequence[Peer], measurements: Sequence[str]) -> Samples:
    samples: Samples = {}
    if workloads := [workload for workload in WORKLOADS if workload.name in measurements]:
        samples |= measure_throughput(bench, peers, workloads)
    applicable = {
        "writer": [peer for peer in peers if peer.database == "sqlite"],
        "commands": [peer for peer in peers if peer.is_accord and peer.database == "postgresql" and not peer.settings],
    }
    for name, measure in OTHERS.items():
        selected = applicable.get(name, peers)
        if name in measurements and selected:
            samples |= measure(bench, selected)
    return samples


def _describe_sides(revision: Revision) -> str:
    return f"{describe_here()} against {revision}."


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    folder = plots.write(text, file.with_name("plots"))
    print(f"\nWritten to {file}, with plots in {folder}.")


def _select(choices: Sequence[str], names: str | None) -> list[str]:
    selected = names.split(",") if names else choices
    if unknown := set(selected) - set(choices):
        raise click.UsageError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(choices)}.")
    return [choice for choice in choices if choice in selected]


def _installed(peers: Sequence[Peer]) -> tuple[list[Peer], Mapping[str, str]]:
    """Install the packages of the peers. Return those that can run, and their interpreters."""
    interpreters = {}
    if any("{python}" in peer.command for peer in peers):
        interpreters["python"] = install.python()
    if any("{node}" in peer.command for peer in peers):
        if node := install.node():
            interpreters["node"] = node
        else:
            print("The PATH has no node with npm, so Fastify is left out.")
            peers = [peer for peer in peers if "{node}" not in peer.command]
    return list(peers), interpreters


def _processors() -> tuple[int, list[int]]:
    """Return the processor for PostgreSQL and the load, and those of the servers. With only two, they share one."""
    match sorted(os.sched_getaffinity(0)):
        case [first, own]:
            return own, [first, own]
        case [first, own, second, *_]:
            return own, [first, second]
        case _:
            raise click.ClickException("The benchmark needs two processors: one for the server, one for the rest.")


if __name__ == "__main__":
    main(prog_name="python -m bench")
