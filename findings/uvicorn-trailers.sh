#!/usr/bin/env bash
# uvicorn adds trailer fields to scope["headers"] with one of its two HTTP parsers, and drops them with the other.
#
# Expected: `--http` chooses a parser, and changes nothing that an application sees. Trailer fields are kept apart
#           from header fields, unless their definition allows to merge them (RFC 9110, section 6.5.1).
# Seen:     with httptools, the trailer field is in scope["headers"] once the body has been read, like any header.
#           With h11 it is nowhere.
# Matters:  `--http auto` takes httptools where it is installed. The headers that a log or a test sees in a container
#           differ from those on a laptop.
# Versions: uvicorn 0.54.0, httptools 0.9.0, h11 0.16.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
httptools: ['host', 'transfer-encoding', 'trailer', 'connection', 'x-checksum']
h11: ['host', 'transfer-encoding', 'trailer', 'connection']
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
venv/bin/python - >seen <<'PYTHON'
import socket
import threading
import time

import uvicorn

REQUEST = (
    b"POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\nConnection: close\r\n"
    b"\r\n5\r\nhello\r\n0\r\nX-Checksum: 5d41402a\r\n\r\n"
)


async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    body = str([name.decode() for name, _ in scope["headers"]]).encode()
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
