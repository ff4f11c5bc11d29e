#!/usr/bin/env bash
# specshift finds no difference when a request gets a limit that it did not have.
#
# Expected: a new maxLength is the stricter change than one that is lowered: any length was taken before.
# Seen:     80 to 40 is a breaking change and rc 1. From none to 40: "No differences found between the two
#           specifications", rc 0. The same holds for maximum, maxItems and format; a new pattern is found, and a new
#           enum is an addition (info, rc 0).
# Matters:  the gate of a pipeline lets a change through that refuses what clients send today. Most limits are added to
#           a contract where none was, so that this is the usual case.
# Versions: specshift 1.5.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
{"type": "string", "maxLength": 80} -> {"type": "string", "maxLength": 40}: rc 1, 1 breaking, 0 warning, 0 info
{"type": "string"} -> {"type": "string", "maxLength": 40}: rc 0, 0 breaking, 0 warning, 0 info
{"type": "integer", "maximum": 90} -> {"type": "integer", "maximum": 9}: rc 1, 1 breaking, 0 warning, 0 info
{"type": "integer"} -> {"type": "integer", "maximum": 9}: rc 0, 0 breaking, 0 warning, 0 info
{"type": "array", "maxItems": 5} -> {"type": "array", "maxItems": 2}: rc 1, 1 breaking, 0 warning, 0 info
{"type": "array"} -> {"type": "array", "maxItems": 2}: rc 0, 0 breaking, 0 warning, 0 info
{"type": "string"} -> {"type": "string", "format": "date"}: rc 0, 0 breaking, 0 warning, 0 info
{"type": "string"} -> {"type": "string", "pattern": "^[a-z]+$"}: rc 1, 1 breaking, 0 warning, 0 info
{"type": "string"} -> {"type": "string", "enum": ["a", "b"]}: rc 0, 0 breaking, 0 warning, 1 info
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check specshift==1.5.0
venv/bin/python - >seen <<'PYTHON'
import json
import re
import subprocess
from pathlib import Path

CHANGES = (
    ({"type": "string", "maxLength": 80}, {"type": "string", "maxLength": 40}),
    ({"type": "string"}, {"type": "string", "maxLength": 40}),
    ({"type": "integer", "maximum": 90}, {"type": "integer", "maximum": 9}),
    ({"type": "integer"}, {"type": "integer", "maximum": 9}),
    ({"type": "array", "maxItems": 5}, {"type": "array", "maxItems": 2}),
    ({"type": "array"}, {"type": "array", "maxItems": 2}),
    ({"type": "string"}, {"type": "string", "format": "date"}),
    ({"type": "string"}, {"type": "string", "pattern": "^[a-z]+$"}),
    ({"type": "string"}, {"type": "string", "enum": ["a", "b"]}),
)


def write(name, schema):
    body = {"type": "object", "properties": {"value": schema}}
    operation = {
        "operationId": "create_product",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"201": {"description": "Created."}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Products", "version": "1"},
        "paths": {"/products": {"post": operation}},
    }
    Path(name).write_text(json.dumps(document))


for before, after in CHANGES:
    write("before.json", before)
    write("after.json", after)
    run = subprocess.run(["venv/bin/specshift", "diff", "before.json", "after.json"], capture_output=True, text=True)
    counts = re.search(r"\d+ breaking, \d+ warning, \d+ info", run.stdout)
    print(f"{json.dumps(before)} -> {json.dumps(after)}: rc {run.returncode}, {counts and counts[0]}")
PYTHON

cat seen
diff expected seen
