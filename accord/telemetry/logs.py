"""What the program says while it runs, each thing on a line: that a request was answered, and whatever is logged."""

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
    Where all lines go.

    While it is `buffered` a thread writes them, an error at once and all else within a fraction of a
    second, so that whoever reads them, however slowly, holds up no request; who reads too
    slowly for long loses lines, and is told how many.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._queued: deque[bytes] = deque()
        self._lost = 0
        self._is_buffered = False
        self._writing = threading.Lock()
        self._wake = threading.Event()

    def put(self, line: bytes, *, is_urgent: bool = False) -> None:
        if len(self._queued) < _MAX_QUEUED:
            self._queued.append(line)
        else:
            self._lost += 1
        if not self._is_buffered:
            self._write()
        elif is_urgent:
            self._wake.set()

    @contextmanager
    def buffered(self) -> Iterator[None]:
        """Let a thread write until the end, when nothing is left."""
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
            waiting, lost, self._lost = self._queued, self._lost, 0
            lines = [waiting.popleft() for _ in range(len(waiting))]
            if lost:
                lines.append(b'{"level":"error","logger":"log","message":"%d lines were lost here."}\n' % lost)
            if lines:
                self._file.write(b"".join(lines))
                self._file.flush()


class LogHandler(logging.Handler):
    """
    The one way out for all that is said, in one form.

    What is logged while a request is served says which: by request id, trace id and operation.
    """

    def __init__(self, file: IO[bytes], *, as_json: bool, level: str) -> None:
        super().__init__(level.upper())
        self.writer = LogWriter(file)
        self.form: Form = json_line if as_json else text_line

    def install(self) -> None:
        """Be what all loggers of this process end in."""
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if isinstance(handler, LogHandler)]:
            root.removeHandler(handler)
        root.addHandler(self)
        root.setLevel(self.level)
        logging.captureWarnings(capture=True)
        # It tells each migration that it looks at.
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
        except Exception:  # noqa: BLE001  # What cannot be logged must not fail what is going on.
            self.handleError(record)

    def access_log(self, exclude: Collection[str] = ()) -> Callable[[RequestContext], None]:
        """
        Return what writes the line of a request when it is over.

        Nothing of the line is a secret: neither query, nor header, nor body. Operations of *quiet* that succeed
        are left out unless everything is to be said.

        No LogRecord is made of it, which would cost twice what the line does.
        """
        if self.level > logging.INFO:
            return lambda context: None
        put, form, unsaid = (
            self.writer.put,
            self.form,
            frozenset(exclude) if self.level > logging.DEBUG else frozenset(),
        )

        def write(context: RequestContext) -> None:
            if context.operation_id in unsaid and not context.problem_type:
                return
            line = form(
                {
                    "time": datetime.now(UTC),
                    "level": "info",
                    "logger": "requests",
                    "request_id": context.request_id,
                    "trace_id": context.trace_id,
                    "operation": context.operation_id,
                    "method": context.method,
                    # The path of no operation is as it was sent, percent-encoded, so that it cannot break a line.
                    "path": context.route or context.raw_path[:_MAX_PATH_LENGTH].decode("latin-1"),
                    "status": context.status or None,
                    "ms": round(context.duration * 1000, 3),
                    "bytes": context.response_size,
                    "caller": context.caller_id,
                    "client": context.client and context.client[0],
                    "problem": context.problem_type,
                }
            )
            put(line)

        return write


def configure_logging(log_format: Literal["auto", "json", "text"], level: str) -> LogHandler:
    """Have all that this process says go to standard error, one way; `auto` is text on a terminal, JSON elsewhere."""
    file = sys.stderr.buffer
    log = LogHandler(file, as_json=log_format == "json" or (log_format == "auto" and not file.isatty()), level=level)
    log.install()
    return log


def json_line(entry: Entry) -> bytes:
    try:
        return orjson.dumps(entry, str, orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    except TypeError:  # A lone surrogate is no text to JSON.
        sound = {name: str(value).encode(errors="backslashreplace").decode() for name, value in entry.items()}
        return orjson.dumps(sound, option=orjson.OPT_APPEND_NEWLINE)


def text_line(entry: Entry) -> bytes:
    """Return the entry for a person at a terminal."""
    said = [f"{entry['time'].astimezone():%H:%M:%S}", entry["level"].ljust(7)]
    if "message" in entry:
        said += [f"{entry['logger']}:", entry["message"]]
    else:
        said += [str(entry["status"] or "---"), f"{entry['ms']:9.2f} ms", entry["method"], entry["path"]]
        said += [str(entry[name]) for name in ("operation", "problem", "caller") if entry[name]]
    if entry.get("request_id"):
        said.append(entry["request_id"])
    line = _escape_controls(" ".join(said))
    return "\n".join([line, *entry.get("traceback", "").splitlines(), ""]).encode(errors="backslashreplace")


def _escape_controls(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()
