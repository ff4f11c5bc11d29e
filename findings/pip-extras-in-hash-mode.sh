#!/usr/bin/env bash
# pip before 23.3 refuses a complete lock file as soon as a newer release of one locked package appears.
#
# Expected: with --require-hashes, a file that pins every package installs the same way for ever.
# Seen:     pytest-cov asks for coverage[toml]. The lock pins coverage without the extra. pip 23.2.1 takes
#           coverage[toml] for another requirement, finds the newest release for it, and refuses that as not pinned.
#           The same file installs on the day it is made, when the locked release is the newest one.
#           pip 23.3 installs it, and pip 23.2.1 does when the lock says coverage[toml].
# Matters:  `uv pip compile` strips extras by default, and Python 3.11.7 brings pip 23.2.1. A service that built last
#           week does not build today, and nothing in its repository has changed.
# Versions: pip 23.2.1 and 23.3, coverage 7.10.6, pytest-cov 7.0.0, Python 3.11.7; 2026-11-30. pip 23.2.1 needs
#           Python 3.12 or older.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
pip 23.2.1, coverage: ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:
pip 23.2.1, coverage[toml]: installs
pip 23.3, coverage: installs
pip 23.3, coverage[toml]: installs
SEEN

python3 -m venv venv
pip() { venv/bin/python -m pip --disable-pip-version-check "$@"; }
pip install --quiet pip==23.3
pip download --quiet --no-deps --dest wheels coverage==7.10.6 pytest-cov==7.0.0 pytest==8.4.2 iniconfig==2.1.0 packaging==25.0 \
    pluggy==1.6.0 pygments==2.19.2
for wheel in wheels/*; do
    echo "$(basename "$wheel" | sed -E 's/^([^-]+)-([^-]+)-.*/\1==\2/') $(pip hash "$wheel" | tail -1)"
done >coverage.txt
sed 's/^coverage==/coverage[toml]==/' coverage.txt >'coverage[toml].txt'

for version in 23.2.1 23.3; do
    pip install --quiet "pip==$version"
    for lock in 'coverage' 'coverage[toml]'; do
        said=$(pip install --quiet --dry-run --require-hashes --requirement "$lock.txt" 2>&1 | grep '^ERROR' | head -1 || true)
        echo "pip $version, $lock: ${said:-installs}"
    done
done >seen

cat seen
diff expected seen
