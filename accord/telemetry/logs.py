"""Logs: the access log and all log records, one line each."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, Literal

import orjson

from accord.engine.context import RequestContext, current_context

Entry = dict[str, Any]
Form = Callable[[Entry], bytes]

_SECONDS_BETWEEN_WRITES = 0.2
_MAX_QUEUED = 100_000
_MAX_PATH_LENGTH = 200


class LogWriter:
    """
    Writes the lines of the log.

    While it is `buffered`, a thread writes them: errors at once, all other lines within a fraction of a second. A slow
    reader therefore delays no request. Lines that cannot be written, or that are too many to be queued, are dropped,
    and a later line has their number.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._queued: deque[bytes] = deque()
        self._dropped = 0
        self._is_buffered = False
        self._writing = threading.Lock()
        self._wake = threading.Event()

    def put(self, line: bytes, *, is_urgent: bool = False) -> None:
        """Write *line*, which ends with a newline, or queue it. An urgent line wakes the thread."""
        if len(self._queued) < _MAX_QUEUED:
            self._queued.append(line)
        else:
            self._dropped += 1
        if not self._is_buffered:
            self._write()
        elif is_urgent:
            self._wake.set()

    @contextmanager
    def buffered(self) -> Iterator[None]:
        """Let a thread write the lines. At the end all queued lines are written."""
        thread = threading.Thread(target=self._keep_writing, name="log", daemon=True)
        self._is_buffered = True
        thread.start()
        try:
            yield
        finally:
            self._is_buffered = False
            self._wake.set()
            thread.join(5 * _SECONDS_BETWEEN_WRITES)
            if not thread.is_alive():
                self._write()

    def _keep_writing(self) -> None:
        while self._is_buffered:
            self._wake.wait(_SECONDS_BETWEEN_WRITES)
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        with self._writing:
            dropped, self._dropped = self._dropped, 0
            queued = [self._queued.popleft() for _ in range(len(self._queued))]
            lines = [*queued]
            if dropped:
                lines.append(b'{"level":"error","logger":"log","message":"%d lines were dropped here."}\n' % dropped)
            try:
                if lines:
                    self._file.write(b"".join(lines))
                    self._file.flush()
            except OSError:
                # The log may be on a full disk, which must not fail the request. Later lines say how many are missing.
                self._dropped += dropped + len(queued)


class LogHandler(logging.Handler):
    """
    The only handler of the root logger, so that all lines have one form.

    A record that is logged while a request is served has its request id, trace id and operation.
    """

    def __init__(self, file: IO[bytes], *, as_json: bool, level: str) -> None:
        super().__init__(level.upper())
        self.writer = LogWriter(file)
        self.form: Form = json_line if as_json else text_line

    def install(self) -> None:
        """Make this the handler of the root logger, and set its level."""
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if isinstance(handler, LogHandler)]:
            root.removeHandler(handler)
        root.addHandler(self)
        root.setLevel(self.level)
        logging.captureWarnings(capture=True)
        # Alembic logs every migration that it reads, on the level info.
        logging.getLogger("alembic").setLevel(max(self.level, logging.WARNING))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = {
                "time": datetime.fromtimestamp(record.created, UTC),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
            }
            context = current_context.get()
            if context and not context.duration:
                entry |= {
                    "request_id": context.request_id,
                    "trace_id": context.trace_id,
                    "operation": context.operation_id,
                }
            if record.exc_info:
                entry["traceback"] = logging.Formatter().formatException(record.exc_info)
            self.writer.put(self.form(entry), is_urgent=record.levelno >= logging.ERROR)
        except Exception:  # noqa: BLE001  # An error in logging must not fail the request.
            self.handleError(record)

    def access_log(self, exclude: Collection[str] = ()) -> Callable[[RequestContext], None]:
        """
        Return a listener that writes the line of a completed request.

        The line contains no secret: no query, no header, no body. Successful requests to the operations in *exclude*
        are logged on the level debug only. The line is not a LogRecord, which would double its cost.
        """
        if self.level > logging.INFO:
            return lambda context: None
        put, form = self.writer.put, self.form
        excluded = frozenset(exclude) if self.level > logging.DEBUG else frozenset()

        def write(context: RequestContext) -> None:
            if context.operation_id in excluded and not context.problem_type:
                return
            line = form(
                {
                    "time": datetime.now(UTC),
                    "level": "info",
                    "logger": "access",
                    "request_id": context.request_id,
                    "trace_id": context.trace_id,
                    "operation": context.operation_id,
                    "method": context.method,
                    # An unknown path is logged percent-encoded, as it was sent, so it cannot break the line.
                    "path": context.route or context.raw_path[:_MAX_PATH_LENGTH].decode("latin-1"),
                    "status": context.status or None,
                    "duration_ms": round(context.duration * 1000, 3),
                    "response_bytes": context.response_size,
                    "caller": context.caller_id,
                    "client_ip": context.client and context.client[0],
                    "problem_type": context.problem_type,
                }
            )
            put(line)

        return write


def configure_logging(log_format: Literal["auto", "json", "text"], level: str) -> LogHandler:
    """Send all logs of this process to standard error. `auto` is text on a terminal, and JSON elsewhere."""
    file = sys.stderr.buffer
    handler = LogHandler(
        file, as_json=log_format == "json" or (log_format == "auto" and not file.isatty()), level=level
    )
    handler.install()
    return handler


def json_line(entry: Entry) -> bytes:
    """Return the entry as a line of JSON."""
    try:
        return orjson.dumps(entry, str, orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    except TypeError:
        # JSON cannot have a lone surrogate.
        escaped = {name: str(value).encode(errors="backslashreplace").decode() for name, value in entry.items()}
        return orjson.dumps(escaped, option=orjson.OPT_APPEND_NEWLINE)


def text_line(entry: Entry) -> bytes:
    """Return the entry as text for a terminal."""
    words = [f"{entry['time'].astimezone():%H:%M:%S}", entry["level"].ljust(7)]
    if "message" in entry:
        words += [f"{entry['logger']}:", entry["message"]]
    else:
        words += [str(entry["status"] or "---"), f"{entry['duration_ms']:9.2f} ms", entry["method"], entry["path"]]
        words += [str(entry[name]) for name in ("operation", "problem_type", "caller") if entry[name]]
    if entry.get("request_id"):
        words.append(entry["request_id"])
    line = _escape_controls(" ".join(words))
    return "\n".join([line, *entry.get("traceback", "").splitlines(), ""]).encode(errors="backslashreplace")


def _escape_controls(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()
