"""The worker processes, and the supervisor that starts them."""

from socket import socket

from uvicorn import Config, Server
from uvicorn.supervisors import ChangeReload, Multiprocess


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
