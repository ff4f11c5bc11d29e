#!/usr/bin/env bash
# httpx-sse makes an event of a heartbeat comment, once an event has had an id, and loses the first event after a BOM.
#
# Expected: a block without data is no event: "If the data buffer is an empty string, set the data buffer and the
#           event type buffer to the empty string and return." A leading byte order mark is stripped when the stream
#           is decoded. (HTML standard, server-sent events.)
# Seen:     a comment followed by an empty line is silent at first, and an empty "message" event after any event with
#           an id. A block with `retry` alone is an empty event, too. With a BOM at the beginning the first event is
#           missing.
# Matters:  servers send comments as heartbeats and ids for reconnecting. The client then calls its handler with an
#           empty text every few seconds, and parsing that as JSON fails. A comment line without an empty line behind
#           it is safe.
# Versions: httpx-sse 0.4.3, httpx 0.28.1, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
comment before an id: ['one']
comment after an id: ['one', '']
comment without an empty line: ['one', 'two']
retry alone: ['', 'one']
byte order mark: ['two']
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check httpx==0.28.1 httpx-sse==0.4.3
venv/bin/python - >seen <<'PYTHON'
import httpx
from httpx_sse import EventSource

STREAMS = {
    "comment before an id": ": beat\n\ndata: one\n\n",
    "comment after an id": "id: 1\ndata: one\n\n: beat\n\n",
    "comment without an empty line": "id: 1\ndata: one\n\n: beat\ndata: two\n\n",
    "retry alone": "retry: 500\n\ndata: one\n\n",
    "byte order mark": "\ufeffdata: one\n\ndata: two\n\n",
}
for name, stream in STREAMS.items():
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=stream.encode())
    print(f"{name}: {[event.data for event in EventSource(response).iter_sse()]}")
PYTHON

cat seen
diff expected seen
