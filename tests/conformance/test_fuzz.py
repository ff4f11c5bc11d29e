"""
schemathesis against the running service: no request breaks the contract, whoever sends it.

Plain pytest always sends the same, for some minutes; what depends on the contract alone it sends to one database. With
`FUZZ_MINUTES` it takes as long as that says, for all callers and databases together, and sends something else each
time. A run that fails names its seed, which `FUZZ_SEED` takes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.demo_data import LOGINS
from tests.support.databases import KINDS
from tests.support.server import ROOT, demo_shop

CONFIGURATION = Path(__file__).with_name("schemathesis.toml").read_text()
LOG_IN = """
[auth.dynamic.openapi.bearer]
path = "/api/v1/auth/login"
payload = {{username = "{}", password = "{}"}}
extract_selector = "/access_token"
"""
"""schemathesis logs in by itself, and again when a request of its own has ended the session."""

WHO = ("anonymous", "customer", "manager", "admin")
"""The admin comes last, because it changes and deletes the accounts of the others."""
VERSIONS = {"v1": [], "v2": ["--include-path-regex=/customers"]}
"""Each version, and what of it is sent: of the second, what is its own."""


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    """A service of its own, whose sessions may be ended and whose catalogue may be turned over."""
    folder = tmp_path_factory.mktemp(f"fuzzed-{request.param}")
    running = demo_shop(request.param, folder)
    yield request.param, running
    running.stop()


@pytest.mark.fuzz
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", WHO)
def test_contract_holds_whatever_is_sent(service, who, version, tmp_path):
    kind, running = service
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION + (LOG_IN.format(*LOGINS[who]) if who in LOGINS else ""))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", configuration, "run"]
    run = subprocess.run(
        [*command, *_length(kind), *VERSIONS[version], f"{running.base}/api/{version}/openapi.json"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def _length(kind):
    """The options that say how much is sent to the service on a database of this kind."""
    if "FUZZ_MINUTES" not in os.environ:
        phases = [] if kind == KINDS[0] else ["--phases=examples,fuzzing,stateful"]
        return ["--seed=1", "--max-examples=4", *phases]
    seconds = float(os.environ["FUZZ_MINUTES"]) * 60 / len(WHO) / len(KINDS) / len(VERSIONS)
    seed = [f"--seed={os.environ['FUZZ_SEED']}"] if "FUZZ_SEED" in os.environ else []
    return [f"--max-time={max(1, round(seconds))}", *seed]
