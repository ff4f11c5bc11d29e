"""What a newcomer breaks is named in one sentence: file, line, and what to do. Exit status 1, and no traceback."""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys

import pytest

from db import migrations
from tests.support.databases import migrated_database
from tests.support.server import ROOT

HEAD = migrations.head_revision()
NEXT = f"{int(HEAD) + 1:04}"
MIGRATION = 'from alembic import op\n\nrevision = "%s"\ndown_revision = "%s"\n\n\ndef upgrade():\n    %s\n'


class Project:
    """A copy of the program that may be broken, with the settings of its environment."""

    def __init__(self, folder):
        self.root = folder / "project"
        left_out = shutil.ignore_patterns(".*", "tests", "bench", "docs", "findings", "data", "*.db*")
        shutil.copytree(ROOT, self.root, ignore=left_out)
        self.database = migrated_database("sqlite", folder).removeprefix("sqlite:///")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
        self.environment = plain | {
            "ACCORD_DATABASE_URL": f"sqlite:///{self.database}",
            "ACCORD_DATA_DIR": str(folder / "data"),
            "ACCORD_PORT": "0",
        }

    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def edit(self, file, old, new):
        text = self.root.joinpath(file).read_text("utf-8")
        assert old in text
        self.root.joinpath(file).write_text(text.replace(old, new, 1), "utf-8")

    def write(self, file, text):
        self.root.joinpath(file).write_text(text, "utf-8")


def replace(file, old, new):
    return lambda project: project.edit(file, old, new)


def write(file, text):
    return lambda project: project.write(file, text)


def remove(file):
    return lambda project: project.root.joinpath(file).unlink()


def set_revision(revision):
    def set_revision(project):
        with sqlite3.connect(project.database) as connection:
            connection.execute("update alembic_version set version_num = ?", [revision])

    return set_revision


TASKS = "openapi/paths/tasks.yaml"
BROKEN = {
    "missing module of handlers": (
        remove("handlers/tags.py"), "check",
        r"openapi/paths/tags\.yaml:3: the module handlers\.tags does not exist; write it with the functions list_tags\.",
    ),
    "misspelt module of handlers": (
        replace(TASKS, "handlers.tasks", "handlers.taks"), "operations",
        rf"{TASKS}:3: the module handlers\.taks does not exist; did you mean handlers\.tasks\?",
    ),
    "forgotten module of handlers": (
        replace("openapi/paths/tags.yaml", "  x-openapi-router-controller: handlers.tags\n", ""), "check",
        r"openapi/paths/tags\.yaml:2: list_tags has no x-openapi-router-controller; add the module of its handler\.",
    ),
    "missing handler": (
        replace("handlers/tags.py", "list_tags", "list_tgas"), "serve",
        r"openapi/paths/tags\.yaml:2: the contract declares list_tags, but handlers\.tags has no such function; write it",
    ),
    "syntax of a handler": (
        replace("handlers/tags.py", "def list_tags(", "def list_tags(("), "check",
        r"handlers/tags\.py:4: the syntax is invalid \(.*\); correct it\.",
    ),
    "syntax of a handler, served": (
        replace("handlers/tags.py", "def list_tags(", "def list_tags(("), "serve",
        r"handlers/tags\.py:4: the syntax is invalid \(.*\); correct it\.",
    ),
    "exception of a service at import": (
        replace("services/tags.py", "\n\n\n", "\n\n_LIMIT = nothing\n\n\n"), "serve",
        r"services/tags\.py:\d+: NameError \(name 'nothing' is not defined\); correct this line\.",
    ),
    "import of nothing": (
        replace("services/health.py", "from db import migrations", "from db import migration"), "check",
        r"services/health\.py:9: ImportError \(cannot import name 'migration' from 'db'.*\); correct this line\.",
    ),
    "syntax of a module that every command needs": (
        replace("accord/settings/variables.py", "PREFIX =", "PREFIX = ="), "settings",
        r"accord/settings/variables\.py:3: the syntax is invalid \(invalid syntax\); correct it\.",
    ),
    "undeclared status": (
        replace("openapi/paths/categories.yaml", "    '409': {$ref: ../components/responses.yaml#/Conflict}\n", ""), "check",
        r"openapi/paths/categories\.yaml:\d+: create_category can respond with 409, because its handler can raise Conflict"
        r" at services/categories\.py:\d+; declare this response, or catch the error\.",
    ),
    "unused file": (
        write("openapi/paths/suppliers.yaml", "get: {}\n"), "check",
        r"openapi/paths/suppliers\.yaml: no document refers to this file; name its path in an index, or remove it\.",
    ),
    "misspelt field": (
        replace(TASKS, "  summary: List tasks", "  sumary: List tasks"), "serve",
        rf"{TASKS}:5: `sumary` is not a field of the Operation Object; did you mean `summary`\?",
    ),
    "invalid YAML": (
        replace(TASKS, "  summary: List tasks", "  summary: List: tasks"), "openapi",
        rf"{TASKS}:5: this is not valid YAML \(.*\); correct it\.",
    ),
    "two migrations of one number": (
        write(f"alembic/versions/{HEAD}_zz.py", MIGRATION % (HEAD, HEAD, "pass")), "migrate",
        rf"alembic/versions/{HEAD}_zz\.py:3: the revision {HEAD} is also that of alembic/versions/{HEAD}_.*\.py; give",
    ),
    "two heads": (
        write(f"alembic/versions/{NEXT}_zz.py", MIGRATION % (NEXT, f"{int(HEAD) - 1:04}", "pass")), "check",
        rf"alembic/versions/{NEXT}_zz\.py:4: alembic/versions/{HEAD}_.*\.py follows .*, too; set this down_revision to",
    ),
    "wrong down_revision": (
        write(f"alembic/versions/{NEXT}_zz.py", MIGRATION % (NEXT, "9999", "pass")), "seed",
        rf"alembic/versions/{NEXT}_zz\.py:4: no migration has the revision '9999' of this down_revision; did you mean",
    ),
    "exception of a migration": (
        write(f"alembic/versions/{NEXT}_zz.py", MIGRATION % (NEXT, HEAD, "op.drop_table('nothing')")), "migrate",
        rf"alembic/versions/{NEXT}_zz\.py:8: OperationalError \(no such table: nothing\); correct this line\.",
    ),
    "missing migration": (
        write(f"alembic/versions/{NEXT}_zz.py", MIGRATION % (NEXT, HEAD, "pass")), "serve",
        rf"The database has migration {HEAD}, this release needs {NEXT}: run `migrate`\.",
    ),
    **{
        f"newer database, {command}": (
            set_revision("9999"), command,
            rf"The database has migration 9999, but the newest one of this release is {HEAD}: use .* `migrate --to`\.",
        )
        for command in ("serve", "migrate", "seed", "check", "delete-orphan-files")
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Return a new project for each call."""
    return lambda: Project(tmp_path_factory.mktemp("broken"))


def assert_one_sentence(done, pattern, status=1):
    assert done.returncode == status, done.stdout + done.stderr
    assert re.fullmatch(f"Error: {pattern}.*\n", done.stderr), done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("break_it", "command", "pattern"), BROKEN.values(), ids=BROKEN)
def test_broken_project_is_named_in_one_sentence(projects, break_it, command, pattern):
    project = projects()
    break_it(project)
    assert_one_sentence(project.run("main.py", command), pattern)


def test_worker_that_cannot_import_a_handler_says_so_in_one_sentence(projects):
    project = projects()
    project.edit("handlers/tags.py", "def list_tags(", "def list_tags((")
    done = project.run("-c", "from accord.cli import create_app; create_app()")
    assert_one_sentence(done, r"handlers/tags\.py:4: the syntax is invalid", status=3)


UNUSABLE = {
    "no server": (
        "postgresql://shop:hush@127.0.0.1:1/shop",
        r"127\.0\.0\.1:1/shop cannot be used \(Connection refused\)",
    ),
    "no host": ("postgresql://shop@nowhere.invalid/shop", r"nowhere\.invalid:5432/shop cannot be used \(.*\)"),
    "no folder": ("sqlite:////nowhere/shop.db", r"/nowhere/shop\.db cannot be used \(unable to open database file\)"),
    "a folder": ("sqlite:////tmp", r"/tmp cannot be used \(unable to open database file\)"),
    "another file": (f"sqlite:///{ROOT}/LICENSE", r".*/LICENSE cannot be used \(file is not a database\)"),
}


@pytest.fixture(scope="module")
def project(projects):
    """A project that no test breaks."""
    return projects()


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.parametrize(("url", "pattern"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_database_is_named_with_the_reason(project, monkeypatch, command, url, pattern):
    monkeypatch.setitem(project.environment, "ACCORD_DATABASE_URL", url)
    done = project.run("main.py", command)
    assert_one_sentence(done, rf"The database {pattern}; correct it or ACCORD_DATABASE_URL\.")
    assert "hush" not in done.stderr


def test_port_in_use_is_named(project, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = project.run("main.py", "serve", "--port", str(port))
        assert_one_sentence(
            done, rf"Port {port} of 127\.0\.0\.1 is in use: stop the program that uses it, or set --port"
        )
        monkeypatch.setitem(project.environment, "ACCORD_METRICS_PORT", str(port))
        done = project.run("main.py", "serve")
        assert_one_sentence(done, rf"Port {port} of 127\.0\.0\.1 is in use: .*, or set ACCORD_METRICS_PORT\.")


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_address_of_another_machine_is_named(project, host):
    done = project.run("main.py", "serve", "--host", host)
    assert_one_sentence(done, rf"The address {host} is not one of this machine: correct --host or ACCORD_HOST\.")


@pytest.mark.parametrize("command", ["serve", "check", "migrate"])
def test_unknown_variable_is_refused_with_the_nearest_one(project, monkeypatch, command):
    monkeypatch.setitem(project.environment, "ACCORD_PROT", "1")
    done = project.run("main.py", command)
    assert_one_sentence(done, r"ACCORD_PROT: unknown setting; did you mean ACCORD_PORT\?")
