"""The command line of the benchmark: starts all servers, measures them in turns, prints and writes the results."""

import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar

import click

from bench import install
from bench.databases import Shop, postgres, sqlite
from bench.load import LoadError, load
from bench.results import Block, Row, Rows, document, tables
from bench.servers import PEERS, Peer, Server, WrongResponse, serving
from bench.workloads import WORKLOADS, Workload, check_refusals

RESULTS = install.BENCH / "RESULTS.md"
FIRST_WARM_UP = 1.0
WARM_UP = 0.3

Named = TypeVar("Named", Peer, Workload)


@click.command()
@click.option("--only", metavar="NAMES", help=f"Servers out of {', '.join(peer.name for peer in PEERS)}.")
@click.option(
    "--requests", metavar="NAMES", help=f"Requests out of {', '.join(workload.name for workload in WORKLOADS)}."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="Duration of each measurement."
)
@click.option("--connections", type=click.IntRange(1), default=32, show_default=True)
def main(only: str | None, requests: str | None, rounds: int, seconds: float, connections: int) -> None:
    """Measure Accord and its peers. A complete run writes bench/RESULTS.md, a partial run only prints."""
    peers, workloads = _select(PEERS, only), _select(WORKLOADS, requests)
    interpreters = {"python": install.python()}
    if node := install.node():
        interpreters["node"] = node
    elif any(peer.command[0] == "{node}" for peer in peers):
        print("The PATH has no node with npm, so Fastify is left out.")
        peers = [peer for peer in peers if peer.command[0] != "{node}"]
    own_cpu, servers_cpu = _two_processors()
    os.sched_setaffinity(0, {own_cpu})
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
            started = _start(peers, interpreters, servers_cpu, Path(folder), stack)
            rows = _measure(started, workloads, rounds=rounds, seconds=seconds, connections=connections)
    except (LoadError, WrongResponse) as error:
        raise click.ClickException(str(error)) from error
    print(tables(rows, peers, workloads))
    if not (only or requests):
        conditions = f"{connections} connections, the median of {rounds} rounds of {seconds:g} s"
        RESULTS.write_text(document(rows, peers, workloads, conditions), encoding="utf-8")
        print(f"\nWritten to {RESULTS.relative_to(install.ROOT)}.")


def _select(choices: Sequence[Named], names: str | None) -> list[Named]:
    selected = names.split(",") if names else [choice.name for choice in choices]
    if unknown := set(selected) - {choice.name for choice in choices}:
        raise click.UsageError(f"Unknown: {', '.join(sorted(unknown))}.")
    return [choice for choice in choices if choice.name in selected]


def _two_processors() -> tuple[int, int]:
    """Return the processor for PostgreSQL and the load, and the one for the measured server."""
    match sorted(os.sched_getaffinity(0)):
        case [servers, own, *_]:
            return own, servers
        case _:
            raise click.ClickException("The benchmark needs two processors: one for the server, one for the rest.")


def _start(
    peers: Sequence[Peer], interpreters: dict[str, str], cpu: int, folder: Path, stack: ExitStack
) -> list[tuple[Server, Shop]]:
    """Start all servers, and return each with the content of its database. The stack stops them."""
    started = []
    for kind, shops in (("postgresql", postgres), ("sqlite", sqlite)):
        if selected := [peer for peer in peers if peer.database == kind]:
            database_for, shop = stack.enter_context(shops(folder))
            for peer in selected:
                server = stack.enter_context(serving(peer, database_for(peer.name), folder, interpreters, cpu))
                check_refusals(server, shop)
                started.append((server, shop))
    return started


def _measure(
    started: Sequence[tuple[Server, Shop]],
    workloads: Sequence[Workload],
    *,
    rounds: int,
    seconds: float,
    connections: int,
) -> Rows:
    """Return the medians. In each round, each request of each server is measured once, in turns."""
    blocks: dict[tuple[str, str], list[Block]] = defaultdict(list)
    turns = [(number, *turn) for number in range(rounds) for turn in product(workloads, started)]
    with click.progressbar(turns, item_show_func=_label, label="Measuring") as progress:
        for number, workload, (server, shop) in progress:
            workload.check(server, shop)
            messages = workload.messages(server, shop)
            run = partial(load, server.port, messages, status=workload.status, connections=connections)
            try:
                run(seconds=WARM_UP if number else FIRST_WARM_UP)
                server_before, database_before = server.cpu_seconds, server.database.cpu_seconds
                measured = run(seconds=seconds)
                block = Block(
                    measured, server.cpu_seconds - server_before, server.database.cpu_seconds - database_before
                )
            except LoadError as error:
                raise WrongResponse(f"{server.peer.name}, {workload.name}: {error}") from error
            blocks[server.peer.name, workload.name].append(block)
            if workload.name == "create":
                server.database.forget()
    return {names: Row.of(measured) for names, measured in blocks.items()}


def _label(turn: tuple[int, Workload, tuple[Server, Shop]] | None) -> str:
    return f"round {turn[0] + 1}, {turn[1].name}, {turn[2][0].peer.name}" if turn else ""


if __name__ == "__main__":
    main(prog_name="python -m bench")
