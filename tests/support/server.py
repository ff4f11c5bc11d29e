"""The service as an operator starts it: a process of its own, on a port of its own."""

import asyncio
import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx
import yaml

from accord.app.container import Container
from accord.settings import Settings
from db.database import open_database
from services import demo_data
from tests.support.databases import copied_database, migrated_database, scratch_folder

ROOT = Path(__file__).resolve().parents[2]

CHEAP_PASSWORDS = {"ACCORD_PASSWORD_MEMORY_COST": "64", "ACCORD_PASSWORD_TIME_COST": "1"}
"""What a deployer could set, too; it makes a log-in cheap."""

PATIENCE = 300
"""Seconds after which a service that has not started or ended has failed, also on a machine with much to do."""


def generous_limits(root: Path) -> dict[str, list[str]]:
    """Wide limits for the rate limit policies of the contract under *root*."""
    text = root.joinpath("openapi/policies.yaml").read_text("utf-8")
    policies = yaml.safe_load(text)["rate-limits"]["policies"]
    return {name: [re.sub(r"^\d+", "1000000000", limit) for limit in each["limits"]] for name, each in policies.items()}


GENEROUS = generous_limits(ROOT)
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
        # A test that fails half-way does not stop its service.
        atexit.register(self.process.kill)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                httpx.get(f"{self.base}/health/live").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
                assert self.process.poll() is None, self.log.read_text()
            else:
                return
        self.process.kill()
        self.process.wait()
        raise TimeoutError(self.log.read_text())

    def logged(self, words: str) -> list[str]:
        """Wait until these words are in the log, and return its lines up to the first that has them."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            lines = self.log.read_text().splitlines()
            if found := next((number for number, line in enumerate(lines, 1) if words in line), None):
                return lines[:found]
            time.sleep(0.05)
        raise TimeoutError(f"The log has no {words}.")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)


def demo_shop(kind: str, folder: Path, *, root: Path = ROOT, **settings: str) -> Server:
    """A service on a new database of this kind, migrated and seeded."""
    database_url, data = _template(kind)
    shutil.copytree(data, folder / "data", dirs_exist_ok=True)
    return Server(copied_database(database_url, folder), folder, root=root, is_filled=True, **settings)


@cache
def _template(kind: str) -> tuple[str, Path]:
    """A database with the demo data, and the folder of its files, to copy."""
    folder = scratch_folder()
    # Commands of the command line would start two processes, each of which takes seconds to import what it needs. The
    # thread is there because an event loop may run in this one, which Playwright does.
    with ThreadPoolExecutor(1) as pool:
        database_url = pool.submit(migrated_database, kind, folder).result()
        pool.submit(asyncio.run, _fill(database_url, folder / "data")).result()
    return database_url, folder / "data"


async def _fill(database_url: str, data: Path) -> None:
    cheap = {name.removeprefix("ACCORD_").lower(): value for name, value in CHEAP_PASSWORDS.items()}
    settings = Settings(database_url=database_url, data_dir=data, **cheap)
    container = Container(settings)
    dependencies = container.password_hasher, container.file_storage
    database = open_database(database_url)
    try:
        await database.run("write", lambda session: list(demo_data.load(session, *dependencies)))
    finally:
        await database.close()


def copied(folder: Path) -> Path:
    """A copy of the repository, for tests that change it."""
    # It keeps the cached byte code (but none that is being written), which is that of all files but the changed ones.
    ignored = (".git", ".*_cache", ".venv", "*.pyc.*", "bench", "data", "node_modules", "*.db*")
    return shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*ignored))


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
