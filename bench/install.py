"""What the peers need, installed from lock files into folders that git ignores."""

import os
import shutil
import subprocess
from pathlib import Path

BENCH = Path(__file__).parent
ROOT = BENCH.parent
REQUIREMENTS = BENCH / "requirements.lock"
PEERS = BENCH / "peers"
FASTIFY = PEERS / "fastify"

_PEERS = BENCH / ".venv" / ".peers"


def python() -> str:
    """The Python that has the peers' packages."""
    subprocess.run(["make", "--silent", _PEERS.relative_to(ROOT)], cwd=ROOT, check=True)
    return str(_PEERS.with_name("bin") / "python")


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
