"""Traces: OpenTelemetry spans of requests, handlers and queries. OpenTelemetry is imported only if they are enabled."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from accord.engine.context import RequestContext, context_of
from accord.engine.headers import RawHeaders

_EXPORT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


class TracingError(Exception):
    """Traces are enabled, but OpenTelemetry is not installed, or its exporter is unknown."""


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the `OTEL_` variables of *environment* select an exporter of spans."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in _EXPORT_VARIABLES)


class Tracing:
    """Creates spans, and exports them as the `OTEL_` variables configure."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raise TracingError if the packages are not installed, or the exporter is unknown."""
        try:
            from opentelemetry import propagate, trace  # noqa: PLC0415  # Imported only if traces are enabled.
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        except ImportError as error:
            remedy = "pip install --requirement requirements-tracing.lock"
            raise TracingError(f"OTEL_ variables enable traces, but {error.name} is not installed: {remedy}") from error
        attributes = {} if "OTEL_SERVICE_NAME" in environment else {"service.name": "accord"}
        self._provider = TracerProvider(resource=Resource.create(attributes))
        for name in environment.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
            self._provider.add_span_processor(_processor(name.strip()))
        self._trace = trace
        self._extract = propagate.extract
        # The message of an exception may be confidential. The log has it, with the trace id.
        self._span = partial(self._provider.get_tracer("accord").start_as_current_span, record_exception=False)

    def close(self) -> None:
        """Export the remaining spans."""
        self._provider.shutdown()

    def request_span(self, context: RequestContext, headers: RawHeaders) -> AbstractContextManager[Any]:
        """Return the span of a request, which continues the trace of its `traceparent`."""
        # OpenTelemetry gets no `traceparent` that RequestContextMiddleware has rejected.
        received = {name.decode(): value.decode("latin-1") for name, value in headers if name.startswith(b"trace")}
        parent = self._extract(received) if context.trace_id is not None else None
        return self._span(context.method, context=parent, kind=self._trace.SpanKind.SERVER)

    def trace_id(self, span: Any) -> str:
        """Return the trace id of *span*, 32 hexadecimal digits."""
        trace_id: str = self._trace.format_trace_id(span.get_span_context().trace_id)
        return trace_id

    def describe(self, span: Any, context: RequestContext) -> None:
        """Set name, attributes and status of the span of a completed request."""
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
        """Return *function* with a span around each call."""

        @wraps(function)
        def traced(*arguments: Any, **keywords: Any) -> Any:
            with self._span(f"{function.__module__}.{function.__name__}"):
                return function(*arguments, **keywords)

        return traced

    def query_span(self, sql: str) -> AbstractContextManager[Any]:
        """Return the span of a query. *sql* has placeholders in place of values."""
        verb = sql.split(None, 1)[0].upper()
        attributes = {"db.query.text": sql, "db.operation.name": verb}
        return self._span(verb, kind=self._trace.SpanKind.CLIENT, attributes=attributes)


class TracingMiddleware:
    """Creates a span for each request, and sets the trace id of its context."""

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
    raise TracingError(f'OTEL_TRACES_EXPORTER: unknown exporter "{exporter}"; known: otlp, console, none.')
