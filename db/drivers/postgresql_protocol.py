"""The protocol of asyncpg, which can send messages in front of a statement."""

from typing import Any

import asyncpg.protocol


class PipelineProtocol(asyncpg.protocol.Protocol):  # type: ignore[misc]  # asyncpg has no types.
    """
    A protocol that sends the *head* in front of the messages of its next statement, in one write.

    A second write would cost as much as the work on a short statement, and would wake PostgreSQL up twice.
    """

    _transport: "_Transport"

    def connection_made(self, transport: Any) -> None:
        self._transport = _Transport(transport)
        super().connection_made(self._transport)

    @property
    def head(self) -> bytes:
        """The messages that have not been sent."""
        return self._transport.head

    @head.setter
    def head(self, messages: bytes) -> None:
        self._transport.head = messages


class _Transport:
    """A transport that writes the *head* in front of what is written next."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.head = b""

    def write(self, data: bytes | memoryview) -> None:
        if self.head:
            data = self.head + data
            self.head = b""
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
