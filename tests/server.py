"""The service as an operator starts it: a process of its own, on a port of its own."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import httpx
import yaml

from tests.databases import copied_database, fresh_database, scratch_folder

ROOT = Path(__file__).resolve().parent.parent

CHEAP_PASSWORDS = {"ACCORD_PASSWORD_MEMORY_COST": "64", "ACCORD_PASSWORD_TIME_COST": "1"}
"""What a deployer could set, too; it makes a log-in cheap."""

_POLICIES = yaml.safe_load(ROOT.joinpath("openapi/policies.yaml").read_text("utf-8"))["rate-limits"]["policies"]
GENEROUS = {
    name: [re.sub(r"^\d+", "1000000000", limit) for limit in each["limits"]] for name, each in _POLICIES.items()
}
"""Limits that no test meets unless it wants to: as many windows as the contract has, and wide ones."""


class Server:
    """
    The service on a database, which it migrates and seeds unless it is filled; `log` has what it printed.

    It is that of the repository, or of a copy at *root*.
    """

    def __init__(
        self, database_url: str, folder: Path, *, root: Path = ROOT, is_filled: bool = False, **settings: str
    ) -> None:
        self.root = root
        self.port = _free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")},
            **CHEAP_PASSWORDS,
            "ACCORD_DRAIN_SECONDS": "0",
            "ACCORD_RATE_LIMITS": json.dumps(GENEROUS),
            "ACCORD_DATABASE_URL": database_url,
            "ACCORD_DATA_DIR": str(folder / "data"),
            **settings,
        }
        self.log = folder / f"server-{self.port}.log"
        if not is_filled:
            self.run("migrate")
            self.run("seed")
        self.start()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line, with the settings of this server."""
        command = [sys.executable, "main.py", *arguments]
        return subprocess.run(command, cwd=self.root, env=self.environment, check=check, capture_output=True, text=True)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", "serve", "--port", str(self.port)],
                cwd=self.root, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        for _ in range(300):
            try:
                httpx.get(f"{self.base}/health/live").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.1)
                assert self.process.poll() is None, self.log.read_text()
            else:
                return
        raise TimeoutError(self.log.read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


def demo_shop(kind: str, folder: Path, *, root: Path = ROOT, **settings: str) -> Server:
    """A service on a new database of this kind, migrated and seeded."""
    database_url, data = _template(kind)
    shutil.copytree(data, folder / "data", dirs_exist_ok=True)
    return Server(copied_database(database_url, folder), folder, root=root, is_filled=True, **settings)


@cache
def _template(kind: str) -> tuple[str, Path]:
    """A database and the data that go with it, to copy; it takes a fifth of the time."""
    folder = scratch_folder()
    database_url = fresh_database(kind, folder)
    Server(database_url, folder).stop()
    return database_url, folder / "data"


def copied(folder: Path) -> Path:
    """A copy of the repository, for tests that change it."""
    ignored = (".git", ".*_cache", ".venv", "__pycache__", "bench", "data", "node_modules", "*.db*")
    return shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*ignored))


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
