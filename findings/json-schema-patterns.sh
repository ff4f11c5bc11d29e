#!/usr/bin/env bash
# The same pattern takes other texts in jsonschema than in jsonschema-rs.
#
# Expected: JSON Schema's patterns are ECMA-262 regular expressions, so that validators agree on them.
# Seen:     jsonschema hands them to Python's re, in which \d takes every script's digits, \w every script's letters,
#           $ matches before a last newline, and \p{L} is an error. jsonschema-rs does as ECMA-262 does.
# Matters:  a number in Arabic-Indic digits is valid in a test that uses jsonschema, and a 422 in a service that uses
#           jsonschema-rs, or the reverse. [0-9] and [A-Za-z] mean the same everywhere.
# Versions: jsonschema 4.26.0, jsonschema-rs 0.60.3, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
^\d+$     '\u0663\u0664'   jsonschema valid      jsonschema-rs invalid
^\w+$     'na\xefve'       jsonschema valid      jsonschema-rs invalid
^[a-z]+$  'abc\n'          jsonschema valid      jsonschema-rs invalid
^\p{L}+$  'na\xefve'       jsonschema re.error   jsonschema-rs valid
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check jsonschema==4.26.0 jsonschema-rs==0.60.3
venv/bin/python - >seen <<'PYTHON'
import jsonschema
import jsonschema_rs

PAIRS = [(r"^\d+$", "٣٤"), (r"^\w+$", "naïve"), (r"^[a-z]+$", "abc\n"), (r"^\p{L}+$", "naïve")]


def verdict(library, pattern, text):
    try:
        validator = library.Draft202012Validator({"type": "string", "pattern": pattern})
        return "valid" if validator.is_valid(text) else "invalid"
    except Exception as error:
        return f"re.{type(error).__name__}"


for pattern, text in PAIRS:
    python, rust = (verdict(library, pattern, text) for library in (jsonschema, jsonschema_rs))
    print(f"{pattern:9} {ascii(text):16} jsonschema {python:10} jsonschema-rs {rust}")
PYTHON

cat seen
diff expected seen
