#!/usr/bin/env bash
# Connexion refuses a required JSON body that comes in chunks: "RequestBody is required".
#
# Expected: Content-Length or Transfer-Encoding announces a body (RFC 9112, section 6), and makes no other difference.
# Seen:     the same bytes are a 200 with Content-Length, and a 400 with `Transfer-Encoding: chunked`: Connexion takes a
#           missing Content-Length for an empty body.
# Matters:  clients that stream do not know the length before they send: curl with -T -, Node's fetch with a stream,
#           httpx with an iterator. What they send fits the contract, and the error does not say why it is refused.
# Versions: connexion 3.3.0, starlette 1.10.0, uvicorn 0.54.0, h11 0.16.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
content-length: 200 "Buy milk."
transfer-encoding: 400 RequestBody is required
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'connexion[flask]==3.3.0' starlette==1.10.0 flask==3.1.3 \
    werkzeug==3.1.9 a2wsgi==1.10.10 asgiref==3.13.0 jsonschema==4.26.0 httpx==0.28.1 httpx2==2.16.2 \
    uvicorn==0.54.0 h11==0.16.0
cat >openapi.yaml <<'YAML'
openapi: 3.0.3
info: {title: Notes, version: '1'}
paths:
  /note:
    post:
      operationId: notes.make
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {text: {type: string}}}}}
      responses: {'200': {description: The text., content: {application/json: {schema: {type: string}}}}}
YAML
cat >notes.py <<'PYTHON'
def make(body):
    return body["text"]
PYTHON
venv/bin/python - >seen <<'PYTHON'
import logging
import sys
import threading
import time

import connexion
import httpx
import uvicorn

logging.disable(logging.CRITICAL)
sys.path.insert(0, ".")
app = connexion.AsyncApp("notes", specification_dir=".")
app.add_api("openapi.yaml")
server = uvicorn.Server(uvicorn.Config(app, port=0, http="h11", log_level="error"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.05)
url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/note"
for content in (b'{"text": "Buy milk."}', iter([b'{"text": ', b'"Buy milk."}'])):
    answer = httpx.post(url, content=content, headers={"Content-Type": "application/json"})
    sent = "content-length" if "content-length" in answer.request.headers else "transfer-encoding"
    said = answer.json()["detail"] if answer.is_error else answer.text.strip()
    print(f"{sent}: {answer.status_code} {said}")
server.should_exit = True
thread.join()
PYTHON

cat seen
diff expected seen
