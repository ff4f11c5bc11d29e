"""The command line: starts all servers, asks them in turns, prints and keeps what came of it."""

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
from bench.servers import PEERS, Peer, Server, WrongAnswer, serving
from bench.workloads import WORKLOADS, Workload, check_refusals

RESULTS = install.BENCH / "RESULTS.md"
FIRST_WARM_UP = 1.0
WARM_UP = 0.3

Named = TypeVar("Named", Peer, Workload)


@click.command()
@click.option("--only", metavar="NAMES", help=f"Of {', '.join(peer.name for peer in PEERS)}.")
@click.option("--requests", metavar="NAMES", help=f"Of {', '.join(workload.name for workload in WORKLOADS)}.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="Of each measurement.")
@click.option("--connections", type=click.IntRange(1), default=32, show_default=True)
def main(only: str | None, requests: str | None, rounds: int, seconds: float, connections: int) -> None:
    """Measure Accord beside its peers. A run of everything writes bench/RESULTS.md; a part of it only prints."""
    peers, workloads = _chosen(PEERS, only), _chosen(WORKLOADS, requests)
    interpreters = {"python": install.python()}
    if node := install.node():
        interpreters["node"] = node
    elif any(peer.command[0] == "{node}" for peer in peers):
        print("There is no node with npm on the PATH, so Fastify is left out.")
        peers = [peer for peer in peers if peer.command[0] != "{node}"]
    own_cpu, servers_cpu = _two_processors()
    os.sched_setaffinity(0, {own_cpu})
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
            started = _start(peers, interpreters, servers_cpu, Path(folder), stack)
            rows = _measure(started, workloads, rounds=rounds, seconds=seconds, connections=connections)
    except (LoadError, WrongAnswer) as error:
        raise click.ClickException(str(error)) from error
    print(tables(rows, peers, workloads))
    if not (only or requests):
        conditions = f"{connections} connections, the median of {rounds} rounds of {seconds:g} s"
        RESULTS.write_text(document(rows, peers, workloads, conditions), encoding="utf-8")
        print(f"\nWritten to {RESULTS.relative_to(install.ROOT)}.")


def _chosen(offered: Sequence[Named], names: str | None) -> list[Named]:
    wanted = names.split(",") if names else [one.name for one in offered]
    if unknown := set(wanted) - {one.name for one in offered}:
        raise click.UsageError(f"There is no {', '.join(sorted(unknown))}.")
    return [one for one in offered if one.name in wanted]


def _two_processors() -> tuple[int, int]:
    """One for PostgreSQL and the load, one for the server that is measured."""
    match sorted(os.sched_getaffinity(0)):
        case [servers, own, *_]:
            return own, servers
        case _:
            raise click.ClickException("It takes two processors to measure: one for the server, one for all else.")


def _start(
    peers: Sequence[Peer], interpreters: dict[str, str], cpu: int, folder: Path, stack: ExitStack
) -> list[tuple[Server, Shop]]:
    """All servers, each with what its database was filled with; they stay up until the stack is left."""
    started = []
    for kind, shops in (("postgresql", postgres), ("sqlite", sqlite)):
        if chosen := [peer for peer in peers if peer.database == kind]:
            database_for, shop = stack.enter_context(shops(folder))
            for peer in chosen:
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
    """In each round, each request of each server once, in turns."""
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
                raise WrongAnswer(f"{server.peer.name}, {workload.name}: {error}") from error
            blocks[server.peer.name, workload.name].append(block)
            if workload.name == "create":
                server.database.forget()
    return {names: Row.of(measured) for names, measured in blocks.items()}


def _label(turn: tuple[int, Workload, tuple[Server, Shop]] | None) -> str:
    return f"round {turn[0] + 1}, {turn[1].name}, {turn[2][0].peer.name}" if turn else ""


if __name__ == "__main__":
    main(prog_name="python -m bench")
