"""`--against` names a commit, and measures it in a working tree that is removed."""

import subprocess

import click
import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.install import HERE, ROOT
from bench.revision import checked_out, describe_here, find_revision


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout.strip()


pytestmark = pytest.mark.skipif(not ROOT.joinpath(".git").exists(), reason="this copy of the sources has no .git")


def test_revision_is_found_by_its_name():
    assert find_revision("HEAD").commit == git("rev-parse", "HEAD")
    assert describe_here().startswith(git("rev-parse", "HEAD")[:9])


@pytest.mark.parametrize("name", ["no-such-branch", "--help", "HEAD:README.md", ""])
def test_unknown_revision_is_refused_in_words(name):
    with pytest.raises(click.ClickException, match="has no commit"):
        find_revision(name)


def test_working_tree_is_removed(tmp_path):
    before = git("worktree", "list")
    with checked_out(find_revision("HEAD"), tmp_path) as checkout:
        assert checkout.root.joinpath("main.py").exists()
        assert checkout.python == HERE.python
    assert not checkout.root.exists()
    assert git("worktree", "list") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "no-such-branch"], "this repository has no commit 'no-such-branch'"),
        (["--against", "HEAD", "--only", "fastapi"], "--only has no Accord"),
        (["--only", "django"], "Unknown: django. Known: accord, "),
        (["--requests", "by_id,speed"], "Unknown: speed. Known: by_id, "),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments, message):
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code != 0
    assert message in run.output
