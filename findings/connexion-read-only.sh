#!/usr/bin/env bash
# Connexion demands required readOnly properties in requests.
#
# Expected: OpenAPI 3.0.3 says of readOnly: "If the property is marked as readOnly being true and is in the required
#           list, the required will take effect on the response only."
# Seen:     a POST without the readOnly id is a 400, "'id' is a required property". A POST that brings an id, which the
#           same paragraph asks clients not to send, is a 200.
# Matters:  readOnly exists so that one schema serves reading and writing; here it cannot. Generated clients leave the
#           property out, as they should, and every call fails.
# Versions: connexion 3.3.0, starlette 1.10.0, jsonschema 4.26.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
{'text': 'Buy milk.'}: 400 'id' is a required property
{'text': 'Buy milk.', 'id': 7}: 200
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'connexion[flask]==3.3.0' starlette==1.10.0 flask==3.1.3 \
    werkzeug==3.1.9 a2wsgi==1.10.10 asgiref==3.13.0 jsonschema==4.26.0 httpx==0.28.1 httpx2==2.16.2
cat >openapi.yaml <<'YAML'
openapi: 3.0.3
info: {title: Notes, version: '1'}
paths:
  /note:
    post:
      operationId: notes.make
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses: {'200': {description: The note., content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}}
components:
  schemas:
    Note:
      type: object
      required: [id, text]
      properties: {id: {type: integer, readOnly: true}, text: {type: string}}
YAML
cat >notes.py <<'PYTHON'
def make(body):
    return {**body, "id": 1}
PYTHON
venv/bin/python - >seen <<'PYTHON'
import logging
import sys

import connexion

logging.disable(logging.CRITICAL)
sys.path.insert(0, ".")
app = connexion.AsyncApp("notes", specification_dir=".")
app.add_api("openapi.yaml", validate_responses=True)
client = app.test_client()
for body in ({"text": "Buy milk."}, {"text": "Buy milk.", "id": 7}):
    answer = client.post("/note", json=body)
    print(f"{body}: {answer.status_code} {answer.json().get('detail', '')}".rstrip())
PYTHON

cat seen
diff expected seen
