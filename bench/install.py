"""What the peers need, installed from lock files into folders that git ignores."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent
ROOT = BENCH.parent
PEERS = BENCH / "peers"
REQUIREMENTS = BENCH / "requirements.lock"
FASTIFY = PEERS / "fastify"

_VENV = BENCH / ".venv"


def python() -> str:
    """The Python that has the peers' packages."""
    interpreter = str(_VENV / "bin" / "python")
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    _install(
        REQUIREMENTS,
        _VENV,
        [sys.executable, "-m", "venv", "--clear", _VENV],
        [*pip, "--requirement", REQUIREMENTS],
    )
    return interpreter


def node() -> str | None:
    """The node that runs the peers written for it, or None where there is none."""
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
    """Run the commands, unless the folder was made from this very lock file."""
    made_from = folder / lock.name
    if made_from.exists() and made_from.read_bytes() == lock.read_bytes():
        return
    print(f"Installing what {lock.relative_to(ROOT)} names …")
    for command in commands:
        subprocess.run(command, check=True)
    shutil.copy(lock, made_from)
