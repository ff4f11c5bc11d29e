"""Timeouts of connections with slow clients."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeouts:
    """
    Seconds for slow clients.

    `header` is the time in which request line and headers must arrive. `body` is the time in which a body that is not
    read must arrive. `write` is the time in which a client must receive data after the write buffer is full.
    """

    header: float
    body: float
    write: float
