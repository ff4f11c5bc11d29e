"""The server processes, and the one that starts them."""

from socket import socket

from uvicorn import Config, Server
from uvicorn.supervisors import ChangeReload, Multiprocess


def serve(listening: socket, config: Config) -> None:
    """Serve on a socket that is bound, until told to stop, in as many processes as *config* says."""
    if config.should_reload:
        ChangeReload(config, target=Server(config).run, sockets=[listening]).run()
    elif config.workers > 1:
        _Supervisor(config, [listening]).run()
    else:
        Server(config).run([listening])


class _Supervisor(Multiprocess):
    """The process that starts the others, and does not serve."""

    def terminate_all(self) -> None:
        # When the last of the others closes it, the port is closed, and nobody waits there in vain.
        for listening in self.sockets:
            listening.close()
        # One that is still starting would hold the port open until it has started, and serve nobody.
        for process in self.processes:
            if process.ping(timeout=1) and not process.is_ready(timeout=30):
                process.kill()
        super().terminate_all()
