"""What pyproject.toml says holds elsewhere too; test_locks.py has what it asks for."""

import tomllib
from pathlib import Path

import yaml

from accord.app.documents import CONTRACTS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())


def test_contract_has_the_version_of_the_project():
    for index in CONTRACTS.values():
        assert yaml.safe_load(index.read_text())["info"]["version"] == PROJECT["project"]["version"]
