#!/usr/bin/env bash
# requests repeats a redirected PUT without its body, as a PUT.
#
# Expected: a 301 or 302 repeats the request; user agents may turn POST into GET, and no other method (RFC 9110,
#           sections 15.4.2 and 15.4.3).
# Seen:     on 301, requests sends PUT with an empty body and no Content-Type. On 302, requests and httpx send GET,
#           httpx with the Content-Type of the body that is gone. aiohttp repeats the request whole. On 307 and 308
#           all do.
# Matters:  a trailing slash or a moved host that is answered 301 makes a client replace a resource by nothing, where
#           an empty body is allowed. An API should redirect with 307 or 308, or not at all.
# Versions: requests 2.34.2, httpx 0.28.1, aiohttp 3.14.5, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
301 requests: PUT ''
301 httpx: PUT '{"stock":7}' application/json
301 aiohttp: PUT '{"stock": 7}' application/json
302 requests: GET ''
302 httpx: GET '' application/json
302 aiohttp: PUT '{"stock": 7}' application/json
308 requests: PUT '{"stock": 7}' application/json
308 httpx: PUT '{"stock":7}' application/json
308 aiohttp: PUT '{"stock": 7}' application/json
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check requests==2.34.2 httpx==0.28.1 aiohttp==3.14.5
venv/bin/python - >seen <<'PYTHON'
import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import httpx
import requests

arrived = []


class Server(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/arrived":
            arrived.append(f"{self.command} {body!r} {self.headers.get('Content-Type', '')}".rstrip())
            self.send_response(200)
        else:
            self.send_response(int(self.path[1:]))
            self.send_header("Location", "/arrived")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT

    def log_message(self, *args):
        pass


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.put(url, json={"stock": 7}) as answer:
        await answer.read()


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
for status in (301, 302, 308):
    url = f"http://127.0.0.1:{server.server_port}/{status}"
    requests.put(url, json={"stock": 7})
    httpx.put(url, json={"stock": 7}, follow_redirects=True)
    asyncio.run(by_aiohttp(url))
    for client in ("requests", "httpx", "aiohttp"):
        print(status, client + ":", arrived.pop(0))
PYTHON

cat seen
diff expected seen
