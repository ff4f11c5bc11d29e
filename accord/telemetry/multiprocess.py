"""
Metrics of several server processes.

Each process writes its counts to a file of its own once a second, and the process that serves a request for metrics
adds the files up. The counters of a process remain after its end, its gauges do not.
"""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from time import time
from typing import Any

import orjson

from accord.telemetry.history import INTERVAL, LENGTH, History, Samples, summarize
from accord.telemetry.metrics import Counts, Metrics, merge

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_WRITES = 1.0
_MAX_AGE = 5.0
"""Seconds without a write after which a process counts as ended."""


def directory(data_dir: Path) -> Path:
    """Return the folder of this service, named by its supervisor, or by the process itself if it is the only one."""
    supervisor = parent_process()
    return data_dir / "metrics" / f"{socket.gethostname()}-{supervisor.pid if supervisor else os.getpid()}"


def clean_up(data_dir: Path) -> None:
    """
    Delete the folder of this service, and those of services that ended over an hour ago.

    The supervisor calls this before it starts workers.
    """
    shutil.rmtree(directory(data_dir), ignore_errors=True)
    for folder in data_dir.glob("metrics/*"):
        if time() - max(file.stat().st_mtime for file in [folder, *folder.iterdir()]) > LENGTH * INTERVAL:
            shutil.rmtree(folder, ignore_errors=True)


class MultiprocessMetrics:
    """The sums over all processes that write to *directory*, including this one if it has *metrics*."""

    def __init__(self, directory: Path, metrics: Metrics | None = None) -> None:
        self._directory = directory
        self._metrics = metrics
        self._history: History | None = None

    @property
    def _file(self) -> Path:
        # The object is created before workers are forked.
        return self._directory / f"{os.getpid()}.json"

    def snapshot(self) -> Counts:
        """Return the counts of all processes."""
        return self._read()[0]

    def exposition(self) -> str:
        """Return the counts in Prometheus' text format."""
        from accord.telemetry.prometheus import exposition  # noqa: PLC0415  # It imports an HTTP server.

        return exposition(self.snapshot())

    def history(self) -> dict[str, Any]:
        """Return the last hour of all processes, as `summarize` has it."""
        counts, samples = self._read()
        return summarize(samples, processes=counts.get("processes", 0))

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish the counts of this process to the others, and once more at its end."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._metrics:
            # A worker may be forked long after the service was built.
            self._history = History(self._metrics)
        stopped = threading.Event()
        thread = threading.Thread(target=self._keep_publishing, args=(stopped,), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(_MAX_AGE)

    def _keep_publishing(self, stopped: threading.Event) -> None:
        is_failing = False
        while not stopped.wait(_SECONDS_BETWEEN_WRITES):
            try:
                self._publish(is_last=False)
                is_failing = False
            except OSError as error:
                # The disk may be full. The counts are published when it has space again.
                if not is_failing:
                    _log.warning("The metrics of this process cannot be written: %s", error)
                is_failing = True
        with suppress(OSError):
            self._publish(is_last=True)

    def _publish(self, *, is_last: bool) -> None:
        assert self._metrics
        assert self._history
        self._history.sample()
        publication = {
            "at": 0 if is_last else time(),
            "counts": self._metrics.snapshot(),
            "samples": self._history.samples(),
        }
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(orjson.dumps(publication))
        draft.replace(self._file)

    def _read(self) -> tuple[Counts, Samples]:
        counts: Counts = self._metrics.snapshot() if self._metrics else {}
        samples: Samples = self._history.samples() if self._history else {}
        for file in self._directory.glob("*.json"):
            if self._metrics and file == self._file:
                continue
            publication = orjson.loads(file.read_bytes())
            if time() - publication["at"] > _MAX_AGE:
                publication["counts"] |= {"gauges": {}, "processes": 0}
            counts = merge(counts, publication["counts"])
            samples = merge(samples, publication["samples"])
        return counts, samples
