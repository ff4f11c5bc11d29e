#!/usr/bin/env bash
# orjson reads integers beyond 64 bits as floats, and a JSON Schema of integers takes those.
#
# Expected: orjson is strict, and Python's integers have no bound: such a number is read whole, or refused.
# Seen:     18446744073709551616 becomes a float without a word, and other digits when it is written again. The float
#           is a whole number, so that `type: integer` is satisfied.
# Matters:  an id or an account number of 20 digits and more is stored as another one. Only a `maximum` in the
#           contract refuses it. json of the standard library keeps every digit.
# Versions: orjson 3.13.0, jsonschema-rs 0.60.3, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
18446744073709551615: json 18446744073709551615, orjson 18446744073709551615, an integer by schema: True
18446744073709551616: json 18446744073709551616, orjson 1.8446744073709552e+19, an integer by schema: True
12345678901234567890123: json 12345678901234567890123, orjson 1.2345678901234568e+22, an integer by schema: True
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check orjson==3.13.0 jsonschema-rs==0.60.3
venv/bin/python - >seen <<'PYTHON'
import json

import orjson
from jsonschema_rs import Draft202012Validator

integer = Draft202012Validator({"type": "integer"})
for text in ("18446744073709551615", "18446744073709551616", "12345678901234567890123"):
    read = orjson.loads(text)
    print(f"{text}: json {json.loads(text)}, orjson {orjson.dumps(read).decode()}, "
          f"an integer by schema: {integer.is_valid(read)}")
PYTHON

cat seen
diff expected seen
