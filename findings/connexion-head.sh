#!/usr/bin/env bash
# Connexion's FlaskApp answers 500 to HEAD when it validates responses.
#
# Expected: HEAD is answered as GET is, without the body.
# Seen:     with validate_responses, FlaskApp answers 500 to HEAD of an operation whose GET is valid: Flask serves HEAD
#           by the function of GET and drops the body, and Connexion validates what is left, "None is not of type
#           'object'". AsyncApp answers 200.
# Matters:  load balancers and link checkers send HEAD. The option that finds wrong responses makes one.
# Versions: connexion 3.3.0, flask 3.1.3, starlette 1.10.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
FlaskApp, validate_responses=False: GET 200, HEAD 200
FlaskApp, validate_responses=True: GET 200, HEAD 500
AsyncApp, validate_responses=False: GET 200, HEAD 200
AsyncApp, validate_responses=True: GET 200, HEAD 200
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'connexion[flask]==3.3.0' starlette==1.10.0 flask==3.1.3 \
    werkzeug==3.1.9 a2wsgi==1.10.10 asgiref==3.13.0 jsonschema==4.26.0 httpx==0.28.1 httpx2==2.16.2
cat >openapi.yaml <<'YAML'
openapi: 3.0.3
info: {title: Notes, version: '1'}
paths:
  /note:
    get:
      operationId: notes.find
      responses:
        '200':
          description: The note.
          content: {application/json: {schema: {type: object, required: [text], properties: {text: {type: string}}}}}
YAML
cat >notes.py <<'PYTHON'
def find():
    return {"text": "Buy milk."}
PYTHON
venv/bin/python - >seen <<'PYTHON'
import logging
import sys

import connexion

logging.disable(logging.CRITICAL)
sys.path.insert(0, ".")
for kind in (connexion.FlaskApp, connexion.AsyncApp):
    for validated in (False, True):
        app = kind("notes", specification_dir=".")
        app.add_api("openapi.yaml", validate_responses=validated)
        client = app.test_client()
        statuses = ", ".join(f"{method} {client.request(method, '/note').status_code}" for method in ("GET", "HEAD"))
        print(f"{kind.__name__}, validate_responses={validated}: {statuses}")
PYTHON

cat seen
diff expected seen
