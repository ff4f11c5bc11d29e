"""Connections that are closed while the client may still be sending."""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from typing import Any, ClassVar

MAX_DROPPED_SIZE = 64 * 1024 * 1024
"""Maximum bytes that a closing connection reads and drops."""
MAX_CONNECTIONS = 100
"""Maximum number of connections of this process that read and drop at a time, so that a flood gains nothing."""


class LingeringTransport(Transport):
    """
    A transport whose `close` lets the client read the last response (RFC 9112, section 9.6).

    The operating system resets a connection that is closed with unread bytes, and the reset deletes what the client has
    not read yet. If *is_receiving* says that the client may still be sending, `close` closes only the writing side. The
    connection reads and drops until the client closes it, for *timeout* seconds, up to MAX_DROPPED_SIZE bytes, and in
    MAX_CONNECTIONS connections at a time. A second `close` does not wait for the client.
    """

    lingering: ClassVar[int] = 0
    """Number of connections of this process that linger."""

    def __init__(
        self, transport: Transport, loop: AbstractEventLoop, *, is_receiving: Callable[[], bool], timeout: float
    ) -> None:
        super().__init__()
        self.timeout = timeout
        self.is_lingering = False
        self._transport = transport
        self._loop = loop
        self._is_receiving = is_receiving
        self._timer: TimerHandle | None = None
        self._dropped = 0
        self.write = transport.write  # type: ignore[method-assign]  # One call less for each response.

    def close(self) -> None:
        transport = self._transport
        may_linger = not self.is_lingering and not transport.is_closing() and self.lingering < MAX_CONNECTIONS
        if not may_linger or not self._is_receiving():
            transport.close()
            return
        self.is_lingering = True
        LingeringTransport.lingering += 1
        self._timer = self._loop.call_later(self.timeout, transport.close)
        try:
            transport.write_eof()
        except OSError:
            # The client has reset the connection.
            transport.close()
        else:
            transport.resume_reading()

    def drop(self, data: bytes) -> None:
        """Count *data* that arrived after `close`."""
        self._dropped += len(data)
        if self._dropped > MAX_DROPPED_SIZE:
            self._transport.close()

    def connection_lost(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
            LingeringTransport.lingering -= 1

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
