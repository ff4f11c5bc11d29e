#!/usr/bin/env bash
# uvicorn's Date header is the time at which the request came, not the time of the answer.
#
# Expected: Date is when the answer was made, give or take a second (RFC 9110, section 6.6.1).
# Seen:     a request that takes three seconds is answered with a Date at least three seconds old, with both parsers.
#           uvicorn hands the headers, which it renews once a second, to a request when that begins.
# Matters:  a thing that is created in the request has a Last-Modified after Date, which RFC 9110, section 8.8.2.1,
#           forbids. Caches count the time of a slow answer against its max-age.
# Versions: uvicorn 0.54.0, httptools 0.9.0, h11 0.16.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
httptools: Date is at least 3 seconds before the answer: True
h11: Date is at least 3 seconds before the answer: True
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
venv/bin/python - >seen <<'PYTHON'
import asyncio
import threading
import time
import urllib.request
from email.utils import parsedate_to_datetime

import uvicorn


async def app(scope, receive, send):
    await asyncio.sleep(3)
    headers = [(b"content-length", b"0"), (b"x-answered", str(time.time()).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


for http in ("httptools", "h11"):
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=http, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        behind = float(answer.headers["X-Answered"]) - parsedate_to_datetime(answer.headers["Date"]).timestamp()
    print(f"{http}: Date is at least 3 seconds before the answer: {behind >= 3}")
    server.should_exit = True
    thread.join()
PYTHON

cat seen
diff expected seen
