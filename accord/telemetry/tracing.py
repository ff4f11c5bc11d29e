"""Spans of OpenTelemetry for requests, handlers and queries; nothing of it is imported unless it is asked for."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any

from accord.engine.request import Exchange

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
SpanFactory = Callable[[str], AbstractContextManager[Any]]

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

    def before(self, next_app: App) -> App:
        """Stand before *next_app*: a span for each request, a part of the trace that the caller names."""
        trace = self._trace

        async def app(scope: Scope, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await next_app(scope, receive, send)
                return
            exchange: Exchange = scope["exchange"]
            # A `traceparent` that was not taken for one is not given to others to try.
            named = exchange.trace_id is not None
            received = {n.decode(): v.decode("latin-1") for n, v in scope["headers"] if n.startswith(b"trace")}
            parent = self._extract(received) if named else None
            kind = trace.SpanKind.SERVER
            with self._span(scope["method"], context=parent, kind=kind) as span:
                exchange.trace_id = trace.format_trace_id(span.get_span_context().trace_id)
                try:
                    await next_app(scope, receive, send)
                finally:
                    _describe(span, exchange)
                    if exchange.status >= 500:
                        span.set_status(trace.StatusCode.ERROR)

        return app

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


def _describe(span: Any, exchange: Exchange) -> None:
    request = exchange.request
    route = request and request.route
    span.update_name(f"{exchange.scope['method']} {route}" if route else exchange.scope["method"])
    attributes = {
        "http.request.method": exchange.scope["method"],
        "http.response.status_code": exchange.status,
        "http.route": route,
        "accord.operation": request and request.operation_id,
        "accord.request_id": exchange.identity,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
