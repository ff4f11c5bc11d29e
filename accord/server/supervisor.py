"""The worker processes, and the supervisor that starts them."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import AF_INET, AF_INET6, SO_ACCEPTCONN, SO_REUSEADDR, SOL_SOCKET, socket
from threading import Thread

from uvicorn import Config, Server, _subprocess
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import SIGNALS
from uvicorn.supervisors.statreload import StatReload

_end_of_supervisor: int | None = None


def end_of_supervisor() -> int | None:
    """Return the file descriptor that becomes readable when the supervisor ends; None in a process without one."""
    parent = multiprocessing.parent_process()
    if _end_of_supervisor is not None:
        return _end_of_supervisor
    return parent.sentinel if parent else None


def bind(host: str, port: int) -> socket:
    """Return a socket that is bound and does not listen yet. Raises OSError."""
    bound = socket(AF_INET6 if ":" in host else AF_INET)
    try:
        bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


def call_when_listening(bound: socket, function: Callable[[], None]) -> None:
    """Call *function* in a thread when this process or a worker listens on the socket, which they share."""

    def wait() -> None:
        try:
            while not bound.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
                time.sleep(0.02)
        except OSError:
            # The socket was closed before a process was ready.
            return
        function()

    Thread(target=wait, daemon=True).start()


def serve(listening: socket, config: Config, factory: str) -> None:
    """
    Serve on the bound socket *listening* until a signal stops it, in as many processes as *config* has workers.

    Several workers are forked from this process and share its memory, so that it must have no connections and no event
    loop. *factory* is the name of the application factory, for workers that SIGHUP starts.
    """
    if config.should_reload:
        _Reloader(config, target=Server(config).run, sockets=[listening]).run()
    elif config.workers > 1:
        _Supervisor(config, [listening], factory).run()
    else:
        Server(config).run([listening])


class _Reloader(StatReload):
    """The process that starts the service anew when a file of its code or of its contract changes."""

    def iter_py_files(self) -> Iterator[Path]:
        for folder in self.config.reload_dirs:
            for pattern in ("*.py", "*.yaml", "*.md"):
                yield from folder.rglob(pattern)


class _Supervisor(Multiprocess):
    """The process that forks the workers. It serves no requests itself."""

    def __init__(self, config: Config, sockets: list[socket], factory: str) -> None:
        super().__init__(config, sockets)
        self._factory = factory
        self._pid = os.getpid()
        # A signal for a worker must not go to the handlers of this process, which the worker has until they are reset.
        os.register_at_fork(
            before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS),
            after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS),
            after_in_child=self._become_worker,
        )
        self._lifeline = os.pipe()
        # Uvicorn has no setting for the context, and its type is that of `spawn`.
        _subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]

    def handle_hup(self) -> None:
        # It replaces the workers by those of a new release. A fork would have the code of this process.
        _subprocess.spawn = multiprocessing.get_context("spawn")
        self.config.app, self.config.factory = self._factory, True
        super().handle_hup()

    def terminate_all(self) -> None:
        # The port closes when the last worker closes it. A client would wait in vain if the supervisor kept it open.
        for listening in self.sockets:
            listening.close()
        # A worker that is still starting would keep the port open until it has started, without serving requests.
        for process in self.processes:
            if process.ping(timeout=1) and not process.is_ready(timeout=30):
                process.kill()
        super().terminate_all()

    def _become_worker(self) -> None:
        global _end_of_supervisor
        if os.getppid() != self._pid:
            # A worker has forked a process for something else.
            return
        _end_of_supervisor, writer = self._lifeline
        # The pipe ends with the supervisor, because no worker can write to it. Those of `multiprocessing` do not: each
        # worker inherits the ends of the workers before it.
        os.close(writer)
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
