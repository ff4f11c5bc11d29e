#!/usr/bin/env bash
# uvicorn takes the path out of a request target in absolute form with one of its two HTTP parsers only.
#
# Expected: `GET http://example.org/health HTTP/1.1` asks for /health. Clients send this form to proxies, and servers
#           MUST accept it (RFC 9112, section 3.2.2). ASGI says that scope["path"] is the path.
# Seen:     with httptools scope["path"] is /health, with h11 it is http://example.org/health, which no router knows.
# Matters:  `--http auto` takes httptools where it is installed. The same request finds a declared operation on one
#           machine, and is a 404 on the other.
# Versions: uvicorn 0.54.0, httptools 0.9.0, h11 0.16.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
httptools: path /health, query page=2
h11: path http://example.org/health, query page=2
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
venv/bin/python - >seen <<'PYTHON'
import socket
import threading
import time

import uvicorn

REQUEST = b"GET http://example.org/health?page=2 HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"


async def app(scope, receive, send):
    body = f"path {scope['path']}, query {scope['query_string'].decode()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


for http in ("httptools", "h11"):
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=http, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as client:
        client.sendall(REQUEST)
        answer = client.makefile("rb").read()
    print(http + ":", answer.split(b"\r\n\r\n")[1].decode())
    server.should_exit = True
    thread.join()
PYTHON

cat seen
diff expected seen
