"""What a newcomer breaks is named in one sentence: file, line, and what to do. Exit status 1, and no traceback."""

import os
import re
import shutil
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
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
        self.environment = plain | {
            "ACCORD_DATABASE_URL": migrated_database("sqlite", folder),
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


TASKS = "openapi/paths/tasks.yaml"
CATEGORY = "openapi/paths/categories_{category_id}.yaml"
NEW = f"alembic/versions/{NEXT}_zz.py"
BROKEN = {
    "missing module of handlers": (
        remove("handlers/tags.py"), "check",
        r"openapi/paths/tags\.yaml:3: the module handlers\.tags does not exist; write it with the functions list_tags",
    ),
    "forgotten module of handlers": (
        replace("openapi/paths/tags.yaml", "  x-openapi-router-controller: handlers.tags\n", ""), "operations",
        r"openapi/paths/tags\.yaml:2: list_tags has no x-openapi-router-controller; add the module of its handler\.",
    ),
    "syntax of a handler": (
        replace("handlers/tags.py", "def list_tags(", "def list_tags(("), "serve",
        r"handlers/tags\.py:4: the syntax is invalid \(.*\); correct it\.",
    ),
    "exception of a service at import": (
        replace("services/tags.py", "\n\n\n", "\n\n_LIMIT = nothing\n\n\n"), "serve",
        r"services/tags\.py:\d+: NameError \(name 'nothing' is not defined\); correct this line\.",
    ),
    "import of nothing": (
        replace("services/health.py", "database_objects, migrations", "database_objects, migration"), "check",
        r"services/health\.py:9: ImportError \(cannot import name 'migration' from 'db'.*\); correct this line\.",
    ),
    "syntax of a module that every command needs": (
        replace("accord/settings/variables.py", "PREFIX =", "PREFIX = ="), "settings",
        r"accord/settings/variables\.py:3: the syntax is invalid \(invalid syntax\); correct it\.",
    ),
    "undeclared status": (
        replace(CATEGORY, "    '409': {$ref: ../components/responses.yaml#/Conflict}\n", ""), "check",
        r"openapi/paths/categories_.*\.yaml:\d+: .* can respond with 409, .* at services/categories\.py:\d+; declare",
    ),
    "missing index": (
        remove("openapi/v2/openapi.yaml"), "check",
        r"openapi/v2/openapi\.yaml cannot be read: ",
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
    "two heads": (
        write(NEW, MIGRATION % (NEXT, f"{int(HEAD) - 1:04}", "pass")), "seed",
        rf"{NEW}:4: alembic/versions/{HEAD}_.*\.py follows .*, too; set this down_revision to '{HEAD}'\.",
    ),
    "exception of a migration": (
        write(NEW, MIGRATION % (NEXT, HEAD, "op.drop_table('unknown')")), "migrate",
        rf"{NEXT}_zz\.py:8: the migration failed and changed nothing: no such table: unknown\. Correct it and run it",
    ),
    "new migration": (
        write(NEW, MIGRATION % (NEXT, HEAD, "pass")), "serve",
        rf"The database has migration {HEAD}, this release needs {NEXT}: run `migrate`\.",
    ),
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
