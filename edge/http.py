"""HTTP/1.1 as uvicorn reads it, with what it lets pass and RFC 9112 does not."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LONGEST_HEAD = 64 * 1024
"""Bytes that the request line and the header section may have together."""
GRACE = 0.3
"""Seconds an idle connection stays open when the server stops, for a request that is on its way."""


class Protocol(HttpToolsProtocol):
    """
    A connection to a client.

    A request without exactly one Host (RFC 9112, section 3.2) or with too long a head is
    malformed. Fields of a trailer section are dropped: merged into the header fields, they could
    log somebody in (RFC 9110, section 6.5.1).
    """

    is_last = False
    """Whether the request that is coming is the last one."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_size = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        # White space around a value is no part of it (RFC 9112, section 5); the parser leaves what stands behind.
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise ValueError("A request has one Host.")
        super().on_headers_complete()
        self.headers = []
        if self.is_last or self.app_state["departure"].is_announced:
            self.cycle.keep_alive = False
        if self.expect_100_continue:
            # Whether the body follows when it was not asked for, nobody can tell: the connection ends with the answer.
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Let a request come to its answer whose first bytes are on their way; to close now would reset it."""
        self.is_last = True
        if self._is_idle():
            self.loop.call_later(GRACE, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _count(self, size: int) -> None:
        self.head_size += size
        if self.head_size > LONGEST_HEAD:
            raise ValueError("The head of the request is too long.")
