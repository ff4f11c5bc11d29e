"""Traces for who asks for them, by OpenTelemetry's own variables."""

import gzip
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from accord.telemetry.tracing import TracingError, _processor, is_enabled
from tests.support.databases import KINDS
from tests.support.server import ROOT

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def collector():
    """Who takes spans."""

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received = ExportTraceServiceRequest.FromString(body)
            server.spans += [s for r in received.resource_spans for scope in r.scope_spans for s in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collect)
    server.spans = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=KINDS)
def traced(request, start, collector):
    return start(
        request.param,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_BSP_SCHEDULE_DELAY="100",
    )


def spans(collector, trace, *names):
    """The spans of a trace by their names, once these are there."""
    for _ in range(600):
        found = {span.name: span for span in collector.spans if span.trace_id.hex() == trace}
        if set(names) <= found.keys():
            break
        time.sleep(0.05)
    return found


def test_request_handler_and_query_are_spans_of_the_callers_trace(traced, collector):
    trace = f"{hash(traced.kind) % 16**31 + 1:032x}"
    headers = {"traceparent": f"00-{trace}-{SPAN}-01"}
    answer = httpx.get(f"{traced.base}/api/v1/products?q=canary", headers=headers)
    names = "GET /api/v1/products", "handlers.products.list_products"
    found = spans(collector, trace, *names, "SELECT")
    request, handler = (found[name] for name in names)
    assert (request.parent_span_id.hex(), handler.parent_span_id) == (SPAN, request.span_id)
    assert found["SELECT"].parent_span_id == handler.span_id
    attributes = {a.key: a.value.string_value or a.value.int_value for a in request.attributes}
    assert attributes["http.route"] == "/api/v1/products"
    assert attributes["http.response.status_code"] == 200
    assert attributes["accord.request_id"] == answer.headers["X-Request-Id"]
    assert not any("canary" in str(span) for span in found.values())


def test_log_names_the_trace_that_begins_here(traced, collector):
    answer = httpx.get(f"{traced.base}/api/v1/tags")
    line = json.loads(traced.server.logged(answer.headers["X-Request-Id"])[-1])
    assert "GET /api/v1/tags" in spans(collector, line["trace_id"], "GET /api/v1/tags")


def test_who_does_not_ask_for_traces_imports_nothing_of_them(tmp_path):
    code = (
        "import sys; from accord import settings; from accord.app import create_app; create_app(settings.load());"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {"PATH": "", "ACCORD_DATA_DIR": str(tmp_path), "ACCORD_DATABASE_URL": f"sqlite:///{tmp_path}/a.db"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("variables", "asks"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://here"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://here"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_variables_of_opentelemetry_ask_for_traces(variables, asks):
    assert is_enabled(variables) is asks


def test_exporter_that_nobody_knows_is_refused_by_name():
    with pytest.raises(TracingError, match="zipkin"):
        _processor("zipkin")
