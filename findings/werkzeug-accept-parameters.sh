#!/usr/bin/env bash
# Werkzeug finds nothing to send to a client that accepts application/json;charset=utf-8.
#
# Expected: JSON satisfies it. RFC 8259 defines no charset parameter, which "really has no effect on compliant
#           recipients"; many clients send it all the same.
# Seen:     best_match() gives None for a service that offers application/json: a media range with a parameter matches
#           only an offer with the same parameter. With */* behind it, JSON is chosen, by the quality of */*.
# Matters:  a service that negotiates by best_match, such as one on Flask, answers these clients 406, or
#           sends them another type that it offers.
# Versions: werkzeug 3.1.9, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
application/json: application/json
application/json;charset=utf-8: None
application/json;charset=utf-8, text/csv;q=0.1: text/csv
application/json;charset=utf-8, */*;q=0.1: application/json at 0.1
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check werkzeug==3.1.9
venv/bin/python - >seen <<'PYTHON'
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

for header in (
    "application/json",
    "application/json;charset=utf-8",
    "application/json;charset=utf-8, text/csv;q=0.1",
    "application/json;charset=utf-8, */*;q=0.1",
):
    accepted = parse_accept_header(header, MIMEAccept)
    best = accepted.best_match(["application/json", "text/csv"])
    print(f"{header}: {best}" + (f" at {accepted.quality(best)}" if "*/*" in header else ""))
PYTHON

cat seen
diff expected seen
