#!/usr/bin/env bash
# Connexion answers 500 to every success of an operation that declares its errors as application/problem+json.
#
# Expected: a function that returns a dict is answered as the JSON that its 200 declares.
# Seen:     once a 404 declares application/problem+json, the 200 is a 500: "Multiple response content types are
#           defined in the operation spec, but the handler response did not specify which one to return." Connexion
#           collects media types over all statuses of the operation, and not for the status of the answer.
# Matters:  problem details beside JSON are the usual form of a contract (RFC 9457), and Connexion's own errors have
#           it. Declaring them breaks the operation, at the first request and not at the start.
# Versions: connexion 3.3.0, starlette 1.10.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
/plain: 200
/with-problem: 500 Multiple response content types are defined in the operation spec, but the handler response did not specify which one to return.
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'connexion[flask]==3.3.0' starlette==1.10.0 flask==3.1.3 \
    werkzeug==3.1.9 a2wsgi==1.10.10 asgiref==3.13.0 jsonschema==4.26.0 httpx==0.28.1 httpx2==2.16.2
cat >openapi.yaml <<'YAML'
openapi: 3.0.3
info: {title: Notes, version: '1'}
paths:
  /plain:
    get:
      operationId: notes.plain
      responses:
        '200': {description: The note., content: {application/json: {schema: {type: object}}}}
  /with-problem:
    get:
      operationId: notes.with_problem
      responses:
        '200': {description: The note., content: {application/json: {schema: {type: object}}}}
        '404': {description: No note., content: {application/problem+json: {schema: {type: object}}}}
YAML
cat >notes.py <<'PYTHON'
def plain():
    return {"text": "Buy milk."}


def with_problem():
    return {"text": "Buy milk."}
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
for path in ("/plain", "/with-problem"):
    answer = client.get(path)
    print(f"{path}: {answer.status_code} {answer.json().get('detail', '')}".rstrip())
PYTHON

cat seen
diff expected seen
