#!/usr/bin/env bash
# prometheus_client's multiprocess mode drops Info, Enum and *_created, and gives gauges another label, in silence.
#
# Expected: an environment variable chooses where counts are kept; the same program exports the same series.
# Seen:     with PROMETHEUS_MULTIPROC_DIR, the Info and the Enum are missing from the output, and so is each _created.
#           The gauge has a label "pid" that the program does not declare. No call raises, and nothing is logged.
# Matters:  a second worker process makes build_info disappear from dashboards, and breaks each alert that joins on it
#           or sums a gauge by its labels.
# Versions: prometheus_client 0.26.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
one process: build_info{version} busy{} hits_created{path} hits_total{path} state{state}
multiprocess: busy{pid} hits_total{path}
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check prometheus_client==0.26.0
cat >program.py <<'PYTHON'
import os
import re

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Info, generate_latest, multiprocess

registry = CollectorRegistry()
Counter("hits", "Requests.", ["path"], registry=registry).labels("/").inc()
Gauge("busy", "Requests under way.", registry=registry).set(2)
Info("build", "Version.", registry=registry).info({"version": "1"})
Enum("state", "State.", states=["up"], registry=registry).state("up")
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)

lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
print(*sorted(re.sub(r"[ {].*", "", line) + "{" + ",".join(re.findall(r"(\w+)=", line)) + "}" for line in lines))
PYTHON
mkdir counts
{
    echo "one process: $(venv/bin/python program.py)"
    echo "multiprocess: $(PROMETHEUS_MULTIPROC_DIR=counts venv/bin/python program.py)"
} >seen

cat seen
diff expected seen
