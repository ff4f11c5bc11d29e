"""Installation of the packages of the peers, from lock files into folders that git ignores."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
ROOT = BENCH.parent
REQUIREMENTS = BENCH / "requirements.lock"
PEERS = BENCH / "peers"
FASTIFY = PEERS / "fastify"

_PEERS = BENCH / ".venv" / ".peers"


@dataclass(frozen=True)
class Checkout:
    """A working tree of Accord, and the Python that has its packages."""

    root: Path
    python: str


HERE = Checkout(ROOT, sys.executable)


def python() -> str:
    """Return the path of the Python that has the packages of the peers."""
    subprocess.run(["make", "--silent", _PEERS.relative_to(ROOT)], cwd=ROOT, check=True)
    return str(_PEERS.with_name("bin") / "python")


def node() -> str | None:
    """Return the path of node, with the packages of its peers installed; None if node or npm is missing."""
    interpreter, npm = shutil.which("node"), shutil.which("npm")
    if interpreter and npm:
        _install(
            FASTIFY / "package-lock.json",
            FASTIFY / "node_modules",
            [npm, "ci", "--silent", "--no-audit", "--no-fund", "--prefix", FASTIFY],
        )
        return interpreter
    return None


def _install(lock: Path, folder: Path, *commands: list[str | os.PathLike[str]]) -> None:
    """Run the commands, unless the folder was installed from the same lock file."""
    installed_lock = folder / lock.name
    if installed_lock.exists() and installed_lock.read_bytes() == lock.read_bytes():
        return
    print(f"Installing {lock.relative_to(ROOT)} …")
    for command in commands:
        subprocess.run(command, check=True)
    shutil.copy(lock, installed_lock)
