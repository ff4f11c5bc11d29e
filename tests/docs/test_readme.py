"""README.md tells the truth: its tour runs as it stands, and its figures are the measured ones."""

import json
import re
import shutil
import subprocess

import pytest

from bench import readme
from tests.support.server import ROOT, demo_shop

TEXT = ROOT.joinpath("README.md").read_text("utf-8")
HEADINGS = re.findall(r"^### (\d+\. .+): ([\d, ]+)$", TEXT, re.MULTILINE)
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", TEXT, re.DOTALL)]

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The service with the rate limits of the contract, which readers have as well."""
    server = demo_shop("sqlite", tmp_path_factory.mktemp("tour"), ACCORD_RATE_LIMITS="{}")
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["bash", "sh"])
def tour(request, server, tmp_path_factory):
    """What each step of the tour printed, and the statuses that it showed. The second run follows the first at once."""
    steps = re.split(r"^### (.+):.*\n", TEXT.partition("## A tour")[2].partition("\n## ")[0], flags=re.MULTILINE)
    script = "".join(
        f"printf '\\n### {name}\\n' | tee /dev/stderr\n" * bool(name) + "".join(_commands(text))
        for name, text in zip(["", *steps[1::2]], steps[::2], strict=True)
    )
    script = script.replace("http://127.0.0.1:8080", server.base)
    done = subprocess.run(
        [request.param], input=script, cwd=tmp_path_factory.mktemp("shell"),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    printed, told = (
        dict(re.findall(r"^### (.+)\n((?:(?!###).*\n?)*)", text, re.MULTILINE)) for text in (done.stdout, done.stderr)
    )
    return {name: (re.findall(r"^=> (\d+)$", told[name], re.MULTILINE), printed[name]) for name in printed}


def test_tour_has_ten_steps():
    assert [heading.partition(".")[0] for heading, _ in HEADINGS] == [str(n) for n in range(1, 11)]


@needs_curl
@pytest.mark.parametrize(("name", "statuses"), HEADINGS)
def test_step_answers_what_its_heading_says(tour, name, statuses):
    assert tour[name][0] == statuses.split(", ")


@needs_curl
def test_nonsense_is_answered_as_shown(tour):
    printed = json.loads(tour["6. Send nonsense"][1])
    assert printed | {"request_id": ""} == SHOWN[0] | {"request_id": ""}


@needs_curl
def test_second_creation_is_a_replay(tour):
    first, second = tour["4. Create, and be sure"][1].split("HTTP/1.1 201")[1:]
    assert "idempotency-replayed" not in first.lower()
    assert "idempotency-replayed: true" in second.lower()
    assert first.rpartition("\n{")[2] == second.strip().rpartition("\n{")[2]


def test_every_file_it_leads_to_is_there():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        links = re.findall(r"\]\((?!https?:|mailto:)([^)#]+)[^)]*\)", document.read_text("utf-8"))
        assert [link for link in links if not document.parent.joinpath(link).exists()] == [], document


def test_every_command_it_names_is_there():
    for target in re.findall(r"\bmake ([a-z]+)", TEXT):
        assert f"\n{target}:" in ROOT.joinpath("Makefile").read_text("utf-8"), target


@pytest.mark.skipif(not readme.RESULTS.exists(), reason="bench/RESULTS.md is made by `make bench`")
def test_performance_is_what_was_measured():
    assert readme.performance(readme.RESULTS.read_text("utf-8")) in TEXT, "run `python -m bench.readme`"


def _commands(text):
    return re.findall(r"```bash\n(.+?)```", text, re.DOTALL)
