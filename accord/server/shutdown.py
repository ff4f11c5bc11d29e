"""Graceful shutdown of a server process."""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uvicorn import Server


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
