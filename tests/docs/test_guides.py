"""The guides in docs/ tell the truth: their commands run as they stand, and print what is shown under them."""

import re
import shutil
import subprocess

import pytest

from tests.support.server import ROOT, demo_shop

GUIDES = ["moving-from-v1-to-v2.md", "orders-and-idempotency.md", "uploading-files.md"]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
END = "\x1e\n"


def steps(guide):
    """Each block of commands, and what is shown under it; nothing, where nothing is."""
    blocks = BLOCK.findall(ROOT.joinpath("docs", guide).read_text("utf-8"))
    for (kind, commands), (following, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "sh":
            yield commands, shown if following == "text" else ""


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("guide", GUIDES)
def test_commands_print_what_is_shown(guide, tmp_path):
    server = demo_shop("sqlite", tmp_path)
    commands, shown = zip(*steps(guide), strict=True)
    script = "set -euo pipefail\n" + "".join(f"{block}printf '{END}'\n" for block in commands)
    done = subprocess.run(
        ["bash"], input=script.replace("http://127.0.0.1:8080", server.base),
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    server.stop()
    assert done.stdout.split(END) == [*shown, ""], done.stderr
