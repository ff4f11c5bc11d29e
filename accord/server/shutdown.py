"""The processes that serve: what they listen on, and how they leave."""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


class GracefulShutdown:
    """
    How this process leaves.

    SIGTERM announces it: for *notice* seconds everybody is served as before, so that who asks
    whether the service is ready can send its callers elsewhere, and every answer is the last of its
    connection. Then no more connections are taken, and what is under way is answered. SIGINT, and
    the end of the process that started this one, come without notice.
    """

    def __init__(self, drain_seconds: float) -> None:
        self.drain_seconds = drain_seconds
        self.is_draining = False

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Stand before what the server itself does at SIGTERM."""
        loop = asyncio.get_running_loop()
        server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        assert isinstance(server, Server), "Uvicorn handles signals before it starts the application."

        def leave() -> None:
            self.is_draining = True
            _close_port(server)
            server.handle_exit(signal.SIGTERM, None)

        def announce() -> None:
            if not self.is_draining:
                self.is_draining = True
                loop.call_later(self.drain_seconds, leave)

        loop.add_signal_handler(signal.SIGTERM, announce)
        if parent := multiprocessing.parent_process():
            end_of_parent = parent.sentinel

            def leave_as_orphan() -> None:
                loop.remove_reader(end_of_parent)
                leave()

            loop.add_reader(end_of_parent, leave_as_orphan)
        yield
        loop.remove_signal_handler(signal.SIGTERM)


def _close_port(server: Server) -> None:
    """Take who is in the queue already, whom closing would reset, and nobody after them."""
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = server.config.http_protocol_class(  # type: ignore[call-arg]  # As uvicorn itself.
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )
        return made

    # There is none yet when the parent ends while this process starts.
    for port in getattr(server, "servers", ()):
        taken = []
        with port.sockets[0].dup() as queue, suppress(BlockingIOError):
            while True:
                taken.append(queue.accept()[0])
        port.close()
        for connection in taken:
            connection.setblocking(False)
            task = loop.create_task(loop.connect_accepted_socket(protocol, connection))
            server.server_state.tasks.add(task)  # type: ignore[arg-type]  # Any task is waited for.
            task.add_done_callback(server.server_state.tasks.discard)


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
