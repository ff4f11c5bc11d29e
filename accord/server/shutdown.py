"""Graceful shutdown of a server process."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uvicorn import Server

from accord.server.supervisor import end_of_supervisor


class GracefulShutdown:
    """
    The shutdown of this process without failed requests.

    SIGTERM starts the draining phase of *drain_seconds*. All requests are served, so that a load balancer that checks
    whether the service is ready can send its clients elsewhere, and every response is the last one of its connection.
    Then the port is closed, and requests in flight are completed. SIGINT, and the end of the parent process, skip the
    draining phase.
    """

    def __init__(self, drain_seconds: float) -> None:
        self.drain_seconds = drain_seconds
        self.is_draining = False

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Handle SIGTERM in place of the server, which handles it after the draining phase."""
        loop = asyncio.get_running_loop()
        server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        assert isinstance(server, Server), "Uvicorn handles signals before it starts the application."

        def stop() -> None:
            self.is_draining = True
            _close_port(server)
            server.handle_exit(signal.SIGTERM, None)

        def drain() -> None:
            if not self.is_draining:
                self.is_draining = True
                loop.call_later(self.drain_seconds, stop)

        loop.add_signal_handler(signal.SIGTERM, drain)
        sentinel = end_of_supervisor()
        if sentinel is not None:

            def stop_as_orphan() -> None:
                loop.remove_reader(sentinel)
                stop()

            loop.add_reader(sentinel, stop_as_orphan)
        yield
        loop.remove_signal_handler(signal.SIGTERM)


def _close_port(server: Server) -> None:
    """Accept the connections in the queue, which closing would reset, and close the port to further ones."""
    loop = asyncio.get_running_loop()

    def create_protocol() -> asyncio.Protocol:
        protocol: asyncio.Protocol = server.config.http_protocol_class(  # type: ignore[call-arg]  # As uvicorn itself.
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )
        return protocol

    # The server has no port yet if the parent process ends while this process starts.
    for port in getattr(server, "servers", ()):
        connections = []
        with port.sockets[0].dup() as queue, suppress(BlockingIOError):
            while True:
                connections.append(queue.accept()[0])
        port.close()
        for connection in connections:
            connection.setblocking(False)
            task = loop.create_task(loop.connect_accepted_socket(create_protocol, connection))
            server.server_state.tasks.add(task)  # type: ignore[arg-type]  # Uvicorn waits for tasks of any kind.
            task.add_done_callback(server.server_state.tasks.discard)
