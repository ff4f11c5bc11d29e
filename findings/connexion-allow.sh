#!/usr/bin/env bash
# Connexion's 405 names the methods of one operation of the path, and leaves out the others that it serves.
#
# Expected: Allow lists the methods that the resource supports (RFC 9110, section 10.2.1). Here: GET, HEAD, POST.
# Seen:     the answer to PUT says "HEAD, GET", though POST is declared and answered. OPTIONS, the method that asks
#           for this list, is a 405 with the same one.
# Matters:  Allow is how a client learns what a path can do. A client that believes this list never sends the POST.
# Versions: connexion 3.3.0, starlette 1.10.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
GET: 200
POST: 200
PUT: 405, Allow: GET, HEAD
OPTIONS: 405, Allow: GET, HEAD
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'connexion[flask]==3.3.0' starlette==1.10.0 flask==3.1.3 \
    werkzeug==3.1.9 a2wsgi==1.10.10 asgiref==3.13.0 jsonschema==4.26.0 httpx==0.28.1 httpx2==2.16.2
cat >openapi.yaml <<'YAML'
openapi: 3.0.3
info: {title: Notes, version: '1'}
paths:
  /notes:
    get: {operationId: notes.find, responses: {'200': {description: The notes.}}}
    post: {operationId: notes.make, responses: {'200': {description: The note.}}}
YAML
cat >notes.py <<'PYTHON'
def find():
    return "one, two", 200


def make():
    return "three", 200
PYTHON
venv/bin/python - >seen <<'PYTHON'
import logging
import sys

import connexion

logging.disable(logging.CRITICAL)
sys.path.insert(0, ".")
app = connexion.AsyncApp("notes", specification_dir=".")
app.add_api("openapi.yaml")
client = app.test_client()
for method in ("GET", "POST", "PUT", "OPTIONS"):
    answer = client.request(method, "/notes")
    allow = ", ".join(sorted(answer.headers.get("allow", "").split(", ")))
    print(f"{method}: {answer.status_code}" + (f", Allow: {allow}" if allow else ""))
PYTHON

cat seen
diff expected seen
