"""The HTTP/1.1 protocol of uvicorn, with the checks of RFC 9112 that it leaves out, and timeouts for slow clients."""

import logging
import re
from asyncio import Future, Task, TimerHandle, Transport, sleep
from collections.abc import Sized
from typing import Any
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from accord.engine import problems
from accord.engine.context import RequestContext
from accord.engine.headers import ReceivedHeaders
from accord.engine.problems import Problem
from accord.middleware.security_headers import HSTS_HEADERS, SECURITY_HEADERS
from accord.server.lingering import LingeringTransport
from accord.server.response_cycle import ResponseCycle
from accord.server.timeouts import Timeouts

MAX_TARGET_SIZE = 8_000
"""Maximum bytes of the request target. RFC 9110, section 4.1, recommends to support at least as many."""
MAX_HEADER_SIZE = 64 * 1024
"""Maximum bytes of the request line and the header section together."""
CLOSE_DELAY = 0.3
"""Seconds that a connection without a response to send stays open when the server stops, for what is in transit."""

_METHOD = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |$)")
"""A method that may be unknown (RFC 9110, section 5.6.2), as far as it has arrived."""

_HASH = ord("#")

_TOO_LONG = Problem(431, f"Request line and headers must have at most {MAX_HEADER_SIZE} bytes together.")

log = logging.getLogger(__name__)


class HttpProtocol(HttpToolsProtocol):
    """
    A connection to a client.

    A request without exactly one Host (RFC 9112, section 3.2) is malformed. Fields of a trailer section are dropped:
    merged into the headers, they could contain credentials (RFC 9110, section 6.5.1). Requests that are refused before
    they reach the application get a problem, too.

    An offer of another protocol is not accepted, so the request is plain HTTP/1.1 (RFC 9110, section 7.8). The parser
    cannot ignore an offer: it stops after the headers. Another parser gets the same headers without `Upgrade`, and then
    the rest.
    """

    transport: LingeringTransport
    headers: ReceivedHeaders

    task: Task[None]
    """The task that serves the requests of the connection."""
    next_cycle: Future[RequestResponseCycle | None]
    """The next request for the task; None at the end of the connection."""
    done: Future[None]
    """What `send` returns if there is nothing to wait for."""
    is_last = False
    """Whether the next request is the last one of the connection."""

    def __init__(self, *, timeouts: Timeouts, **options: Any) -> None:
        super().__init__(**options)
        self.parser = self._create_parser()
        self.timeouts = timeouts
        self.problem = Problem(400, "The request is not valid HTTP/1.1.")
        self.is_reading_headers = False
        self.header_size = 0
        self.unread = 0
        """Bytes in the buffer of the parser, because their line or chunk is not complete."""
        self.keep_alive_timer: TimerHandle | None = None
        self.idle_since: float | None = None
        """The time of the event loop since when the connection has no request; None while it has one."""
        self.header_timer: TimerHandle | None = None
        self.write_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # As uvicorn has it.
        super().connection_made(
            LingeringTransport(transport, self.loop, is_receiving=self._is_receiving, timeout=self.timeouts.body)
        )
        self.flow = RequestFlow(self.transport, self.pipeline)
        self.next_cycle = self.loop.create_future()
        self.task = self.loop.create_task(self._serve())
        # The server waits for these tasks when it stops, so that none may stay there after a failure.
        self.task.add_done_callback(self.tasks.discard)
        self.done = self.loop.create_future()
        self.done.set_result(None)
        self.connection_scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
        }
        self.raw_root_path = self.root_path.encode("ascii")
        # A proxy may open a connection before it has a request. The headers have their time from their first byte on.
        self._start_keep_alive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transport.connection_lost()
        # A timer holds the connection in memory.
        for timer in (self.keep_alive_timer, self.header_timer, self.write_timer):
            if timer:
                timer.cancel()
        if not self.next_cycle.done():
            self.next_cycle.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_lingering:
            self.transport.drop(data)
            return
        self.idle_since = None
        self.unread += len(data)
        try:
            self._parse(data)
        except HttpParserError as error:
            self._stop_parsing(error, data)
            return
        is_responding = self._is_responding()
        is_receiving = self._is_receiving()
        # The parser drops what comes after a request that is the last one.
        is_dropped = is_responding and not is_receiving
        if self.unread > MAX_HEADER_SIZE and not is_dropped and not self.transport.is_closing():
            self._refuse(_TOO_LONG)
        elif not is_responding and (self.unread or is_receiving):
            self._start_header_timer()
        else:
            if self.header_timer:
                self.header_timer.cancel()
                self.header_timer = None
            if not is_responding:
                # The rest of a body has arrived that the response did not wait for.
                self._start_keep_alive_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.write_timer = self.loop.call_later(self.timeouts.write, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.write_timer:
            self.write_timer.cancel()

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = ReceivedHeaders()
        self.header_size = 0
        self.is_reading_headers = True

    def on_url(self, url: bytes) -> None:
        self.unread = 0
        self.header_size += len(url)
        if self.header_size > MAX_TARGET_SIZE:
            self.problem = Problem(414, f"The request target must have at most {MAX_TARGET_SIZE} bytes.")
            raise ValueError
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.unread = 0
        self.header_size += len(name) + len(value)
        if self.header_size > MAX_HEADER_SIZE:
            self.problem = _TOO_LONG
            raise ValueError
        # White space around a value is not part of it (RFC 9112, section 5). The parser does not remove it at the end.
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        parser = self.parser
        version, method = parser.get_http_version(), parser.get_method()
        if parser.should_upgrade() and method != b"CONNECT":
            return
        self.headers.complete()
        if problem := self._head_problem(version, is_connect=method == b"CONNECT"):
            self.problem = problem
            raise ValueError
        self._begin_response(method.decode("ascii"), version)
        # The parser reports fields of a trailer section as headers. They must not reach those of the request.
        self.headers = ReceivedHeaders()
        self.is_reading_headers = False

    def on_body(self, body: bytes) -> None:
        self.unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        # As uvicorn does, but without a new timer for each request.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        following = self.pipeline.pop() if self.pipeline else None
        if self.flow.read_paused:
            self.flow.resume_reading()
        if following:
            self._start_asgi_task(*following)
        elif self.is_reading_headers or self.cycle.more_body:
            self._start_header_timer()
        else:
            self._start_keep_alive_timer()

    def shutdown(self) -> None:
        """Close the connection after its last response. An immediate close would reset a request that is in transit."""
        self.is_last = True
        self.transport.timeout = CLOSE_DELAY
        if self._is_responding():
            super().shutdown()
        else:
            self.loop.call_later(CLOSE_DELAY, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not self._is_responding():
            self.transport.close()

    def _begin_response(self, method: str, version: str) -> None:
        """Call the application, as uvicorn does, or queue the request if the previous one has no response yet."""
        raw_path, query = split_target(self.url)
        path = raw_path.decode("ascii")
        expects_100 = b"expect" in self.headers.fields and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers
        )
        scope = self.connection_scope.copy()
        # A higher minor version is processed as the highest one that is known (RFC 9110, section 2.5).
        scope["http_version"] = "1.0" if version == "1.0" else "1.1"
        scope["method"] = method
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.raw_root_path + raw_path
        scope["query_string"] = query
        scope["headers"] = self.headers
        scope["state"] = self.app_state.copy()
        self.scope = scope
        # A client that got no 100 may send its body or leave it out, so the connection ends with the response.
        is_persistent = (
            version != "1.0"
            and not expects_100
            and self.parser.should_keep_alive()
            and not self.is_last
            and not self.app_state["graceful_shutdown"].is_draining
        )
        previous: RequestResponseCycle | None = self.cycle
        self.cycle = ResponseCycle(self, expects_100=expects_100, keep_alive=is_persistent)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.tasks.add(self.task)
        self.next_cycle.set_result(cycle)

    async def _serve(self) -> None:
        """
        Serve the requests of the connection, one after another.

        They share a task, because one of its own costs more than a small request does. The next request waits until
        the application has returned.
        """
        while cycle := await self.next_cycle:
            self.next_cycle = self.loop.create_future()
            await cycle.run_asgi(self.app)
            if self.next_cycle.done():
                # The next request has arrived with this one. Those of other connections have their turn first.
                await sleep(0)
            elif self.parser is None:
                # The connection is lost.
                break
            else:
                self.tasks.discard(self.task)

    def _create_parser(self) -> HttpRequestParser:
        parser = HttpRequestParser(self)
        # The version is checked here, so that each reason has its status. The other option is that of uvicorn.
        parser.set_dangerous_leniencies(lenient_version=True, lenient_data_after_close=True)
        return parser

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                head = self._head_without_upgrade()
                self.parser = self._create_parser()
                self.parser.feed_data(head)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _head_problem(self, version: str, *, is_connect: bool) -> Problem | None:
        """Return the problem of the request line and the headers as a whole."""
        if version[0] != "1":
            return Problem(505, f"HTTP/{version} is not supported. Use HTTP/1.1.")
        if is_connect:
            return Problem(400, "CONNECT is not possible here: this service is not a proxy.")
        fields = self.headers.fields
        hosts = 1 if b"host" in fields else 0
        if hosts and len(fields) != len(self.headers):
            hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and (hosts or version != "1.0"):
            return Problem(400, "A request must have exactly one Host header.")
        if b"transfer-encoding" in fields:
            codings = [coding.strip(b" \t").lower() for coding in fields[b"transfer-encoding"].split(b",")]
            if codings != [b"chunked"]:
                # Without `chunked` at the end, and only there, the length of the body is unknown (RFC 9112, section
                # 6.3).
                if codings[-1] == b"chunked" and codings.count(b"chunked") == 1:
                    return Problem(501, "The only supported transfer coding is chunked.")
                return self.problem
            if version == "1.0":
                return Problem(400, "A request of HTTP/1.0 must not have Transfer-Encoding.")
        return None

    def _stop_parsing(self, error: HttpParserError, data: bytes) -> None:
        cycle = self.cycle
        if self._is_responding() and (self.pipeline or cycle.response_started or not cycle.more_body):
            # Earlier requests are still to be answered. The connection ends after their responses.
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if isinstance(error, HttpParserInvalidMethodError) and _METHOD.match(data):
            self.problem = Problem(501, "The method of the request is unknown.")
        elif self.parser.get_method() == b"PRI":
            self.problem = Problem(505, "HTTP/2.0 is not supported. Use HTTP/1.1.")
        self._refuse(self.problem)

    def _is_responding(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _is_receiving(self) -> bool:
        """Return whether the client may be sending a request that will not be read."""
        cycle: RequestResponseCycle | None = self.cycle
        return self.is_reading_headers or bool(self.pipeline) or (cycle is not None and cycle.more_body)

    def _start_keep_alive_timer(self) -> None:
        """Let the connection be idle from now on. One timer serves all its idle times: it begins anew when it ends."""
        self.idle_since = self.loop.time()
        if self.keep_alive_timer is None:
            self.keep_alive_timer = self.loop.call_later(self.timeout_keep_alive, self._end_keep_alive)

    def _end_keep_alive(self) -> None:
        self.keep_alive_timer = None
        if self.idle_since is None:
            return
        left = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.keep_alive_timer = self.loop.call_later(left, self._end_keep_alive)
        else:
            self.timeout_keep_alive_handler()

    def _start_header_timer(self) -> None:
        if self.header_timer is None:
            self.header_timer = self.loop.call_later(self.timeouts.header, self._time_out)

    def _time_out(self) -> None:
        if self.transport.is_closing():
            return
        if self.is_reading_headers:
            self._refuse(
                Problem(408, f"The headers of the request did not arrive within {self.timeouts.header:g} seconds.")
            )
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        context = RequestContext(root_path=self.root_path)
        status, problem_headers, body = problems.response(problem, context, accept=None)
        headers = [
            *self.server_state.default_headers,
            *problem_headers,
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"x-request-id", context.request_id.encode()),
            *(HSTS_HEADERS if self.scheme == "https" else SECURITY_HEADERS),
        ]
        log.info("Refused a request (%s): %s", context.request_id, problem.detail)
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        if self._is_responding():
            # The application must not respond as well.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


class RequestFlow(FlowControl):
    """Reads no more while requests are queued. Otherwise each response would let a client queue thousands more."""

    def __init__(self, transport: Transport, queued: Sized) -> None:
        super().__init__(transport)
        self._queued = queued

    def resume_reading(self) -> None:
        if not self._queued:
            super().resume_reading()


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request target that the parser has accepted."""
    if target.startswith(b"/") and _HASH not in target:
        path, _, query = target.partition(b"?")
        return path, query
    url = parse_url(target)
    return url.path, url.query or b""
