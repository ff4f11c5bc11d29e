"""
Several server processes, counted together.

Each writes what it has counted into a file of its own, once a second, and whoever is asked adds the
files up. What a process has counted stays when it ends; its gauges go with it.
"""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from time import time
from typing import Any

import orjson

from accord.telemetry.history import INTERVAL, LENGTH, History, Samples, summarize
from accord.telemetry.metrics import Counts, Metrics, merge
from accord.telemetry.prometheus import exposition

_SECONDS_BETWEEN_WRITES = 1.0
_SECONDS_OF_LIFE = 5.0
"""A process that has not written for so long is no more."""


def directory(data_dir: Path) -> Path:
    """Return where the processes of this service meet: they are children of one, or there is only one."""
    leader = parent_process()
    return data_dir / "metrics" / f"{socket.gethostname()}-{leader.pid if leader else os.getpid()}"


def clean_up(data_dir: Path) -> None:
    """Remove what services have left behind that are no more; the process that leads calls this."""
    shutil.rmtree(directory(data_dir), ignore_errors=True)
    for left in data_dir.glob("metrics/*"):
        if time() - max(file.stat().st_mtime for file in [left, *left.iterdir()]) > LENGTH * INTERVAL:
            shutil.rmtree(left, ignore_errors=True)


class MultiprocessMetrics:
    """What all processes that write to *folder* have counted, this one among them if it has *metrics*."""

    def __init__(self, directory: Path, metrics: Metrics | None = None) -> None:
        self._directory = directory
        self._metrics = metrics
        self._history = History(metrics) if metrics else None
        self._file = directory / f"{os.getpid()}.json"

    def snapshot(self) -> Counts:
        return self._read()[0]

    def exposition(self) -> str:
        """Return the counts in Prometheus' text format."""
        return exposition(self.snapshot())

    def history(self) -> dict[str, Any]:
        counts, steps = self._read()
        return summarize(steps, processes=counts.get("processes", 0))

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Tell the others what this process counts, until it ends."""
        self._directory.mkdir(parents=True, exist_ok=True)
        over = threading.Event()
        thread = threading.Thread(target=self._keep_publishing, args=(over,), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(_SECONDS_OF_LIFE)

    def _keep_publishing(self, over: threading.Event) -> None:
        while not over.wait(_SECONDS_BETWEEN_WRITES):
            self._publish(is_over=False)
        self._publish(is_over=True)

    def _publish(self, *, is_over: bool) -> None:
        assert self._metrics
        assert self._history
        self._history.sample()
        told = {
            "at": 0 if is_over else time(),
            "counts": self._metrics.snapshot(),
            "steps": self._history.samples(),
        }
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(orjson.dumps(told))
        draft.replace(self._file)

    def _read(self) -> tuple[Counts, Samples]:
        counts: Counts = self._metrics.snapshot() if self._metrics else {}
        steps: Samples = self._history.samples() if self._history else {}
        for file in self._directory.glob("*.json"):
            if self._metrics and file == self._file:
                continue
            told = orjson.loads(file.read_bytes())
            if time() - told["at"] > _SECONDS_OF_LIFE:
                told["counts"] |= {"gauges": {}, "processes": 0}
            counts, steps = merge(counts, told["counts"]), merge(steps, told["steps"])
        return counts, steps
