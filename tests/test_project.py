"""What pyproject.toml says holds elsewhere too; the lock files hold what it asks for, with hashes and no addresses."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from accord.app.documents import CONTRACTS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
DEV = PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize(("lock", "wanted"), [("requirements.lock", RUN), ("requirements-dev.lock", [*RUN, *DEV])])
def test_lock_pins_what_the_project_asks_for(lock, wanted):
    pins = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", ROOT.joinpath(lock).read_text(), re.MULTILINE))
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins.get(requirement.name, "0")), f"{requirement}: run `make lock`."


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_has_only_pins_and_hashes(lock):
    lines = ROOT.joinpath(lock).read_text().splitlines()
    others = [line for line in lines if not re.match(r" *#|[a-z0-9._-]+==|    --hash=sha256:[0-9a-f]{64}", line)]
    assert others == []


def test_developers_run_what_everybody_runs():
    run, dev = (
        set(re.findall(r"^[a-z0-9._-]+==[^ ;]+", ROOT.joinpath(lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert run <= dev


def test_contract_has_the_version_of_the_project():
    for index in CONTRACTS.values():
        assert yaml.safe_load(index.read_text())["info"]["version"] == PROJECT["project"]["version"]
