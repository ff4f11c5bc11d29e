"""Another revision of Accord in a working tree of its own, to be measured beside this one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench.install import HERE, ROOT, Checkout
from bench.servers import Peer


@dataclass(frozen=True)
class Revision:
    """A commit, by the name that the caller gave and by its own."""

    name: str
    commit: str
    subject: str

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:9]}, {self.subject})"


def find_revision(name: str) -> Revision:
    """Return the commit with this name; raises ClickException."""
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        raise click.ClickException(
            f"--against: this repository has no commit {name!r}. Name a commit, branch or tag that `git log` knows."
        )
    commit = found.stdout.strip()
    return Revision(name, commit, _git("log", "-1", "--format=%s", commit).stdout.strip())


def describe_here() -> str:
    """Return what is measured of this working tree, also if it has changes that are not committed."""
    here = find_revision("HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no").stdout
    return f"{here.commit[:9]} with uncommitted changes" if changed else f"{here.commit[:9]} ({here.subject})"


@contextmanager
def checked_out(revision: Revision, folder: Path) -> Iterator[Checkout]:
    """Yield a working tree of the revision in this folder. Another lock file of its packages gets an environment."""
    root = folder / "revision"
    added = _git("worktree", "add", "--detach", str(root), revision.commit)
    if added.returncode:
        raise click.ClickException(f"--against: git cannot check {revision} out: {added.stderr.strip()}")
    try:
        yield Checkout(root, _python(root))
    finally:
        _git("worktree", "remove", "--force", str(root))


def twin(peer: Peer, revision: Revision, checkout: Checkout) -> Peer:
    """Return Accord of the other revision, with the settings of *peer*."""
    title = f"{peer.title.strip('*')}, {revision.name}"
    return replace(peer, name=f"{peer.name}@{revision.commit[:9]}", title=title, checkout=checkout)


def _python(root: Path) -> str:
    lock = "requirements.lock"
    if root.joinpath(lock).read_bytes() == ROOT.joinpath(lock).read_bytes():
        return HERE.python
    print(f"The {lock} of the revision differs, so it gets an environment of its own.")
    made = subprocess.run(["make", "--silent", ".venv/.run"], cwd=root, check=False)
    if made.returncode:
        raise click.ClickException("--against: the packages of the revision could not be installed; see above.")
    return str(root / ".venv" / "bin" / "python")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise click.ClickException("--against needs git, which the PATH does not have.") from None
