#!/usr/bin/env bash
# A minor release of jsonschema-rs changes which texts a dot in a pattern takes.
#
# Expected: validators change what is valid when a contract changes, not when a lock file is updated.
# Seen:     "^.*$" takes a text with U+2028 (line separator) in 0.60.3, and refuses it in 0.61.2, as ECMA-262 asks:
#           its dot takes no line terminator, and U+2028 and U+2029 are such.
# Matters:  such separators come with text that is pasted from word processors. A range like jsonschema-rs>=0.60 lets
#           the change in by a lock update: stored texts no longer pass the response schema they passed before.
# Versions: jsonschema-rs 0.60.3 and 0.61.2, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
0.60.3: ^.*$ takes 'one\u2028two': True, ^[^\n]*$ takes it: True
0.61.2: ^.*$ takes 'one\u2028two': False, ^[^\n]*$ takes it: True
SEEN

python3 -m venv venv
for version in 0.60.3 0.61.2; do
    venv/bin/pip install --quiet --no-compile --disable-pip-version-check "jsonschema-rs==$version"
    venv/bin/python - "$version" <<'PYTHON'
import sys

from jsonschema_rs import Draft202012Validator

text = "one\u2028two"
dot, listed = (Draft202012Validator({"pattern": pattern}).is_valid(text) for pattern in ("^.*$", r"^[^\n]*$"))
print(f"{sys.argv[1]}: ^.*$ takes {ascii(text)}: {dot}, ^[^\\n]*$ takes it: {listed}")
PYTHON
done >seen

cat seen
diff expected seen
