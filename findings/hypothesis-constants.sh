#!/usr/bin/env bash
# Hypothesis draws constants out of the source files of the project, also those that the test does not use.
#
# Expected: integers() draws the same values in every project.
# Seen:     a module that is imported, and not used, has the constant 918273645 in it. integers() draws exactly that
#           number within 1,000 examples; without the import it does not. The strategy is plain, and the run is
#           derandomized.
# Matters:  a limit, a port or a magic number anywhere in a service changes what its property tests draw, so that an
#           unrelated commit can make a test fail or pass. A seed alone does not reproduce a run.
# Versions: hypothesis 6.170.17, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
with limits.py imported: draws 918273645: True
without: draws 918273645: False
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check hypothesis==6.170.17
echo 'LARGEST_ORDER = 918273645' >limits.py
cat >draw.py <<'PYTHON'
import sys

from hypothesis import given, settings
from hypothesis.strategies import integers

if sys.argv[1] == "with":
    import limits  # noqa: F401

drawn = set()


@settings(max_examples=1000, database=None, derandomize=True)
@given(integers())
def collect(number):
    drawn.add(number)


collect()
print("draws 918273645:", int("9182" + "73645") in drawn)
PYTHON
{
    echo "with limits.py imported: $(venv/bin/python draw.py with)"
    echo "without: $(venv/bin/python draw.py without)"
} >seen

cat seen
diff expected seen
