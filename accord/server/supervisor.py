"""The worker processes, and the supervisor that starts them."""

import time
from collections.abc import Callable
from socket import AF_INET, AF_INET6, SO_ACCEPTCONN, SO_REUSEADDR, SOL_SOCKET, socket
from threading import Thread

from uvicorn import Config, Server
from uvicorn.supervisors import ChangeReload, Multiprocess


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


def serve(listening: socket, config: Config) -> None:
    """Serve on the bound socket *listening* until a signal stops it, in as many processes as *config* has workers."""
    if config.should_reload:
        ChangeReload(config, target=Server(config).run, sockets=[listening]).run()
    elif config.workers > 1:
        _Supervisor(config, [listening]).run()
    else:
        Server(config).run([listening])


class _Supervisor(Multiprocess):
    """The process that starts the workers. It serves no requests itself."""

    def terminate_all(self) -> None:
        # The port closes when the last worker closes it. A client would wait in vain if the supervisor kept it open.
        for listening in self.sockets:
            listening.close()
        # A worker that is still starting would keep the port open until it has started, without serving requests.
        for process in self.processes:
            if process.ping(timeout=1) and not process.is_ready(timeout=30):
                process.kill()
        super().terminate_all()
