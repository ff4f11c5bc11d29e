"""
schemathesis against the running service: no request breaks the contract, whoever sends it.

Plain pytest takes a few minutes and one seed. `FUZZ_MINUTES` prolongs it and `FUZZ_SEED` is where it begins, so that
what was found is found again.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.demo import LOGINS
from tests.databases import KINDS, fresh_database
from tests.server import ROOT, Server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml").read_text()
LOG_IN = """
[auth.dynamic.openapi.bearer]
path = "/api/v1/auth/login"
payload = {{username = "{}", password = "{}"}}
extract_selector = "/access_token"
"""
"""schemathesis logs in by itself, and again when a request of its own has ended the session."""

WHO = ("anonymous", *LOGINS)
EXAMPLES = 10
"""For each operation, phase and caller."""


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    """A service of its own, whose sessions may be ended and whose catalogue may be turned over."""
    folder = tmp_path_factory.mktemp(f"fuzzed-{request.param}")
    running = Server(fresh_database(request.param, folder), folder)
    yield running
    running.stop()


@pytest.mark.fuzz
@pytest.mark.parametrize("who", WHO)
def test_contract_holds_whatever_is_sent(service, who, tmp_path):
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION + (LOG_IN.format(*LOGINS[who]) if who in LOGINS else ""))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", configuration, "run", *_length()]
    run = subprocess.run(
        [*command, f"{service.base}/api/v1/openapi.json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def _length():
    seed, minutes = os.environ.get("FUZZ_SEED", "1"), os.environ.get("FUZZ_MINUTES")
    if minutes is None:
        return "--seed", seed, "--max-examples", str(EXAMPLES)
    return "--seed", seed, "--max-time", str(max(1, int(float(minutes) * 60 / len(WHO) / len(KINDS))))
