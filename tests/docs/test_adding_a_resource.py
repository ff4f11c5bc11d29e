"""docs/adding-a-resource.md does what it says: its files make a resource, and what is left out is named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from db import migrations
from services.demo_data import LOGINS
from tests.support.contract_client import ContractClient, PublishedContract
from tests.support.server import CHEAP_PASSWORDS, ROOT, Server, copied

TEXT = ROOT.joinpath("docs/adding-a-resource.md").read_text("utf-8")
FILES = dict(re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
ADDITIONS = re.findall(r"^In `(\S+)`, add under `(\S+)`\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
MODELS, PATHS, HANDLERS = "db/models/__init__.py", "openapi/paths/suppliers.yaml", "handlers/suppliers.py"
DEMO, LISTED = "services/demo_data.py", Path("tests/conformance/operations.txt")
END_OF_LOAD = re.search(r"add at the end of `load`:\n\n```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1]
REFUSALS = dict(re.findall(r"^\| (.+?) \| (?:``|`)(.+?)(?:``|`) \|$", TEXT, re.MULTILINE))

LEFT_OUT = {
    "the paths in the indexes": ("openapi/v*/openapi.yaml", r".*/suppliers.*\n", ""),
    "a file that is referred to": ("openapi/components/schemas/SupplierPatch.yaml", None, None),
    "the security of an operation": (PATHS, r"  security: .*catalogue:stock.*\n", ""),
    "to give a scope to a role": (PATHS, "catalogue:stock", "suppliers:read"),
    "the tag in the list of tags": ("openapi/tags.yaml", r"  - name: Suppliers\n.*\n", ""),
    "a status of the request": (PATHS, r"    '415'.*\n", ""),
    "a status of the service": ("openapi/paths/suppliers_{supplier_id}.yaml", r"    '409'.*\n", ""),
    "a letter of a field": (PATHS, "  summary: List", "  sumary: List"),
    "the module of the handlers": (HANDLERS, None, None),
    "an operation that a link leads to": (PATHS, "operationId: get_supplier", "operationId: show"),
    "to shorten an example": ("openapi/components/schemas/SupplierName.yaml", "maxLength: 120", "maxLength: 12"),
    "a letter of an `x-` word": (PATHS, "router-controller", "router-controler"),
    "a handler": (HANDLERS, r"def delete_supplier\(.*\n.*\n", ""),
    "an operation for a handler": (HANDLERS, r"\Z", "\ndef praise_supplier():\n    pass\n"),
    "an argument of a handler": (HANDLERS, r"session, supplier_id, body", "session, supplier_id"),
    "a parameter in the contract": (HANDLERS, r"session, page, per_page", "session, page, per_page, sort"),
    "to migrate": None,
}


def numbered(text):
    """The text with the numbers of migrations that it would have today."""
    newest = migrations.head_revision()
    return text.replace("0004", f"{int(newest) + 1:04}").replace("0003", newest)


class Copy:
    """A copy of the repository, with the resource added."""

    def __init__(self, folder):
        self.root = copied(folder)
        self.database_url = f"sqlite:///{folder}/copy.db"
        self.environment = {**os.environ, **CHEAP_PASSWORDS, "ACCORD_DATABASE_URL": self.database_url,
                            "ACCORD_DATA_DIR": str(folder / "data")}  # fmt: skip
        for path, text in FILES.items():
            self.root.joinpath(numbered(path)).write_text(numbered(text), "utf-8")
        for path, key, text in ADDITIONS:
            self.change(path, rf"^{key}\n", lambda found, text=text: found[0] + text)
        models = re.search(r"^from db\.models\.supplier .*\n", TEXT, re.MULTILINE)
        self.change(MODELS, r"^from db\.models\.tag ", lambda found: models[0] + found[0])
        self.change(MODELS, '"Tag"', '"Supplier", "Tag"')
        self.change(
            DEMO, r"^from services import (?=categories)", lambda found: "from services import suppliers\n" + found[0]
        )
        self.change(DEMO, r"\Z", END_OF_LOAD)

    def change(self, path, pattern, replacement):
        files = [*self.root.glob(path)]
        assert files, f"{path} is not there"
        for file in files:
            if pattern is None:
                file.unlink()
                continue
            text, count = re.subn(pattern, replacement, file.read_text("utf-8"), flags=re.MULTILINE)
            assert count, f"{pattern} is not in {path}"
            file.write_text(text, "utf-8")

    def run(self, *command):
        return subprocess.run(
            [sys.executable, *command], cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("resource"))


@pytest.fixture(scope="module")
def running(copy):
    server = Server(copy.database_url, copy.root.parent, root=copy.root)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def token(running):
    username, password = LOGINS["admin"]
    log_in = {"username": username, "password": password}
    return httpx.post(f"{running.base}/api/v1/auth/login", json=log_in).json()["access_token"]


@pytest.fixture
def admin(running, token):
    published = PublishedContract(httpx.get(f"{running.base}/api/v1/openapi.json").json())
    with ContractClient(published, base_url=running.base, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def test_resource_is_created_listed_and_changed_under_a_condition(admin):
    created = admin.post("/api/v1/suppliers", json={"name": "Surat Dairies", "email": "surat@dairies.example"})
    where, tag = created.headers["Location"], created.headers["ETag"]
    assert created.status_code == 201
    assert admin.get(where, headers={"If-None-Match": tag}).status_code == 304
    assert created.json() in admin.get("/api/v1/suppliers").json()["items"]
    changed = admin.patch(where, json={"name": "Anand Dairies"}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["name"]) == (200, "Anand Dairies")
    assert admin.patch(where, json={"name": "Bombay"}, headers={"If-Match": tag}).status_code == 412
    assert admin.delete(where).status_code == 204


def test_broken_body_is_refused_with_all_that_is_wrong(admin):
    answer = admin.post("/api/v1/suppliers", json={"name": "", "email": "nobody", "city": "Anand"}, undeclared=True)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/name", "/email", "/city"}


def test_stories_and_rules_pass(copy):
    copy.root.joinpath(LISTED).write_text(copy.run("main.py", "operations").stdout, "utf-8")
    chosen = "not postgresql and (supplier or test_files or test_schemas or test_document)"
    done = copy.run("-m", "pytest", "tests/api", "tests/conformance", "-k", chosen, "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


def test_fuzzer_finds_the_operations_by_itself(copy, running, token):
    done = copy.run(
        "-m", "schemathesis.cli", "--config-file", "tests/conformance/schemathesis.toml", "run",
        f"{running.base}/api/v1/openapi.json", "--include-path-regex", "suppliers",
        "--header", f"Authorization: Bearer {token}", "--max-examples", "10", "--seed", "1",
    )  # fmt: skip
    assert "Tested: 5" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_as_lint_wants_them(copy):
    written = [numbered(path) for path in FILES if path.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        done = copy.run("-m", "ruff", *command, "--no-cache", *written)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("running")
def test_check_is_content(copy):
    assert copy.run("main.py", "check").returncode == 0


def test_every_refusal_is_tried():
    assert LEFT_OUT.keys() == REFUSALS.keys()


@pytest.mark.parametrize("forgotten", LEFT_OUT)
def test_what_is_forgotten_is_named(forgotten, tmp_path):
    copy = Copy(tmp_path)
    if change := LEFT_OUT[forgotten]:
        copy.change(*change)
    done = copy.run("main.py", "check")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in numbered(REFUSALS[forgotten]).split("…"):
        assert part.strip() in done.stderr


def test_cost_is_what_the_page_says():
    lines = {path: text.count("\n") for path, text in FILES.items()}
    python = sum(n for path, n in lines.items() if path.startswith(("handlers", "services", "db")))
    added = sum(text.count("\n") for *_, text in ADDITIONS) + END_OF_LOAD.count("\n")
    others = {path for path, *_ in ADDITIONS} | {MODELS, DEMO, LISTED}
    # Beside that: two lines for the model, one import, and a line for each operation in each version.
    total = sum(lines.values()) + added + 2 + 1 + 10
    said = re.search(r"(\d+) new files and (\d+) changed ones, (\d+) lines.* (\d+) of\s+them", TEXT, re.DOTALL)
    assert [int(number) for number in said.groups()] == [len(lines), len(others), total, python]
