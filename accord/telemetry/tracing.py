"""Spans of OpenTelemetry for requests, handlers and queries; nothing of it is imported unless it is asked for."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from accord.engine.context import RequestContext, context_of
from accord.engine.headers import RawHeaders

_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


class TracingError(Exception):
    """Traces are asked for, and cannot be made."""


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the variables that OpenTelemetry has for it say where spans shall go."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in _ASKING)


class Tracing:
    """Makes spans, as the `OTEL_` variables say."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raise TracingError if the packages are not there, or the exporter is not known."""
        try:
            from opentelemetry import propagate, trace  # noqa: PLC0415  # Who does not ask for traces does not pay.
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        except ImportError as error:
            remedy = "pip install --requirement requirements-tracing.lock"
            raise TracingError(f"OTEL_ variables ask for traces, but {error.name} is not there: {remedy}") from error
        named = {} if "OTEL_SERVICE_NAME" in environment else {"service.name": "accord"}
        self._provider = TracerProvider(resource=Resource.create(named))
        for name in environment.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
            self._provider.add_span_processor(_processor(name.strip()))
        self._trace = trace
        self._extract = propagate.extract
        # What an error says may be nobody else's business; the log has it, with the id of the trace.
        self._span = partial(self._provider.get_tracer("accord").start_as_current_span, record_exception=False)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def request_span(self, context: RequestContext, headers: RawHeaders) -> AbstractContextManager[Any]:
        """Return the span of a request, a part of the trace that the client names."""
        # A `traceparent` that was not taken for one is not given to others to try.
        received = {name.decode(): value.decode("latin-1") for name, value in headers if name.startswith(b"trace")}
        parent = self._extract(received) if context.trace_id is not None else None
        return self._span(context.method, context=parent, kind=self._trace.SpanKind.SERVER)

    def trace_id(self, span: Any) -> str:
        found: str = self._trace.format_trace_id(span.get_span_context().trace_id)
        return found

    def describe(self, span: Any, context: RequestContext) -> None:
        """Set what is known of a request when it was answered."""
        span.update_name(f"{context.method} {context.route}" if context.route else context.method)
        attributes = {
            "http.request.method": context.method,
            "http.response.status_code": context.status,
            "http.route": context.route,
            "accord.operation": context.operation_id,
            "accord.request_id": context.request_id,
        }
        span.set_attributes({name: value for name, value in attributes.items() if value is not None})
        if context.status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)

    def instrument_handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function of an operation, with a span around each call."""

        @wraps(function)
        def traced(*arguments: Any, **named: Any) -> Any:
            with self._span(f"{function.__module__}.{function.__name__}"):
                return function(*arguments, **named)

        return traced

    def query_span(self, sql: str) -> AbstractContextManager[Any]:
        """Return the span of a query; *sql* has placeholders where values are."""
        verb = sql.split(None, 1)[0].upper()
        attributes = {"db.query.text": sql, "db.operation.name": verb}
        return self._span(verb, kind=self._trace.SpanKind.CLIENT, attributes=attributes)


class TracingMiddleware:
    """Makes a span of each request, and puts the id of its trace into the context."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        tracing, context = self.tracing, context_of(scope)
        with tracing.request_span(context, scope["headers"]) as span:
            context.trace_id = tracing.trace_id(span)
            try:
                await self.app(scope, receive, send)
            finally:
                tracing.describe(span, context)


def _processor(exporter: str) -> Any:
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    match exporter:
        case "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            return BatchSpanProcessor(OTLPSpanExporter())
        case "console":
            return SimpleSpanProcessor(ConsoleSpanExporter())
    raise TracingError(f"OTEL_TRACES_EXPORTER: {exporter} is not known here; otlp, console and none are.")
