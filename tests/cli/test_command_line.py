"""The command line as an operator meets it: what is wrong is said in a line, without a traceback."""

import json
import logging
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import make_url

from accord import cli
from db import migrations
from tests.support.databases import fresh_database, migrated_database
from tests.support.server import PATIENCE, ROOT

HEAD = migrations.head_revision()
COMMANDS = [name for name in cli.COMMANDS if name != "signing-keys"] + ["signing-keys rotate"]


@pytest.fixture
def settings(tmp_path):
    """What the environment says of the service, and nothing else."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    return plain | {"ACCORD_DATABASE_URL": f"sqlite:///{tmp_path}/shop.db", "ACCORD_DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def run(settings, monkeypatch, capfd):
    """Run a command to its end, in this process: starting one takes longer than most commands."""

    def run(command, **changes):
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", settings | changes)
            patch.setattr(sys, "argv", ["main.py", *command.split()])
            # What takes over the log here writes to what is captured, and that is soon closed.
            patch.setattr(logging.getLogger(), "handlers", logging.getLogger().handlers[:])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def start(settings):
    """Start the program in a process of its own, from a tree of files, and wait for its end."""

    def start(command, tree=ROOT):
        return subprocess.run(
            [sys.executable, "main.py", *command.split()],
            cwd=tree, env=settings, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return start


def assert_refused(done, *words, lines=1):
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= lines, done.stderr
    for word in words:
        assert word in done.stderr


def copy_of_program(folder):
    left_out = shutil.ignore_patterns(".*", "tests", "bench", "docs", "data", "*.db*", "__pycache__")
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=left_out))


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class TestSettings:
    @pytest.mark.parametrize("command", ["serve", "migrate", "check"])
    def test_database_of_another_kind_is_refused_by_its_variable(self, run, command):
        assert_refused(run(command, ACCORD_DATABASE_URL="mysql://shop"), "ACCORD_DATABASE_URL")

    @pytest.mark.parametrize("command", ["serve", "migrate", "seed"])
    def test_url_that_cannot_be_read_is_refused_by_its_variable(self, run, command):
        done = run(command, ACCORD_DATABASE_URL="postgresql://shop:hush@127.0.0.1:port/shop")
        assert_refused(done, "ACCORD_DATABASE_URL")
        assert "hush" not in done.stderr

    def test_each_wrong_setting_has_its_line(self, run):
        done = run("check", ACCORD_PORT="99999", ACCORD_WORKERS="many", ACCORD_MAX_BODY_SIZE="-1")
        assert_refused(done, "ACCORD_PORT", "ACCORD_WORKERS", "ACCORD_MAX_BODY_SIZE", lines=3)

    @pytest.mark.parametrize("command", ["serve", "check", "migrate", "openapi"])
    @pytest.mark.parametrize("name", ["ACCORD_PROT", "accord_prot", "ACCORD_PROT_"])
    def test_unknown_variable_is_refused_with_the_nearest_one(self, run, command, name):
        assert_refused(run(command, **{name: "1"}), f"Error: {name}: unknown setting; did you mean ACCORD_PORT?")

    def test_unknown_variable_is_refused_beside_other_errors(self, run):
        done = run("check", ACCORD_PORT="99999", ACCORD_QQQ="")
        assert_refused(done, "ACCORD_QQQ: unknown setting; `main.py settings` lists all", "ACCORD_PORT: ", lines=2)

    def test_variable_of_another_program_is_no_setting(self, run):
        assert run("settings", ACCORDION="1").returncode == 0
        assert "ACCORDION" not in run("openapi", ACCORDION="1").stderr

    @pytest.mark.parametrize("command", ["serve", "seed"])
    def test_production_takes_no_defaults_of_development(self, run, command):
        done = run(command, ACCORD_ENVIRONMENT="production")
        assert_refused(done, "ACCORD_SIGNING_KEYS", "ACCORD_TOKEN_ISSUER", "ACCORD_TRUSTED_PROXIES", lines=3)

    def test_check_says_what_production_would_refuse_and_does_not_mind(self, run):
        run("migrate")
        done = run("check")
        assert (done.returncode, done.stderr) == (0, "")
        assert {"ACCORD_SIGNING_KEYS", "ACCORD_TOKEN_ISSUER"} <= {
            line.split(":")[0] for line in done.stdout.splitlines()
        }

    def test_settings_are_described_as_they_are_committed(self, run):
        assert run("settings").stdout == (ROOT / "docs" / "settings.md").read_text()
        assert run("settings --env").stdout == (ROOT / ".env.example").read_text()

    @pytest.mark.parametrize("command", ["seed", "serve --reload"])
    def test_production_takes_nothing_of_development(self, run, tmp_path, command):
        run("check")
        keys = (tmp_path / "data" / "signing_keys.json").read_text()
        settings = {"ACCORD_TOKEN_ISSUER": "https://shop.example", "ACCORD_SIGNING_KEYS": keys}
        assert_refused(run(command, ACCORD_ENVIRONMENT="production", **settings), "production")


class TestKeys:
    def test_keys_are_for_their_owner_only(self, run, tmp_path):
        run("check")
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data" / "signing_keys.json").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("command", ["serve", "signing-keys rotate"])
    def test_folder_that_cannot_be_used_is_named(self, run, command):
        run("migrate")
        assert_refused(run(command, ACCORD_DATA_DIR="/dev/null/data"), "/dev/null/data")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
    def test_folder_without_permission_is_named(self, run, tmp_path):
        run("migrate")
        (tmp_path / "locked").mkdir(mode=0)
        assert_refused(run("serve", ACCORD_DATA_DIR=str(tmp_path / "locked")), "locked")

    def test_file_that_holds_no_keys_is_named(self, run, tmp_path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "signing_keys.json").write_text("{}")
        run("migrate")
        assert_refused(run("serve"), "signing_keys.json", "JSON Web Key Set")

    def test_keys_of_the_settings_are_not_rotated_here_nor_shown(self, run, tmp_path):
        run("check")
        keys = (tmp_path / "data" / "signing_keys.json").read_text()
        done = run("signing-keys rotate", ACCORD_SIGNING_KEYS=keys)
        assert_refused(done, "settings")
        assert json.loads(keys)["keys"][0]["d"] not in done.stderr


UNUSABLE = {
    "no server": ("postgresql://shop:hush@127.0.0.1:1/shop", "127.0.0.1:1/shop cannot be used (Connection refused)"),
    "no servers": ("postgresql://shop:hush@127.0.0.1:1,[::1]:2/shop", "127.0.0.1:1,[::1]:2/shop cannot be used ("),
    "no host": ("postgresql://shop@nowhere.invalid/shop", "nowhere.invalid:5432/shop cannot be used ("),
    "no folder": ("sqlite:////nowhere/shop.db", "/nowhere/shop.db cannot be used (unable to open database file)"),
    "folder": ("sqlite:////usr", "/usr cannot be used (unable to open database file)"),
    "other file": (f"sqlite:///{ROOT}/LICENSE", "/LICENSE cannot be used (file is not a database)"),
}
"""URLs of databases, each with its words in the message. All commands open the database by the same function."""


class TestDatabase:
    @pytest.mark.parametrize(
        ("command", "url"),
        [
            *product(["migrate"], UNUSABLE),
            *product(["seed", "check", "delete-orphan-files"], ["no server"]),
            ("serve", "other file"),
        ],
    )
    def test_database_that_cannot_be_used_is_named_with_the_reason(self, run, command, url):
        url, words = UNUSABLE[url]
        done = run(command, ACCORD_DATABASE_URL=url)
        assert_refused(done, "Error: The database ", words, "; correct it or ACCORD_DATABASE_URL.")
        assert "hush" not in done.stderr

    def test_service_starts_before_its_database(self, settings):
        settings["ACCORD_DATABASE_URL"], words = UNUSABLE["no server"]
        command = [sys.executable, "main.py", "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as served:
            try:
                assert words in served.stderr.readline()
                base = re.search(r"http://127\.0\.0\.1:\d+", "".join(served.stdout.readline() for _ in range(4)))[0]
                live, ready = (httpx.get(f"{base}/health/{name}", timeout=60) for name in ("live", "ready"))
            finally:
                served.terminate()
        assert (live.status_code, ready.status_code) == (200, 503)

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("role", 'role "nobody" does not exist'),
            ("database", 'database "nothing" does not exist'),
        ],
        ids=["role", "database"],
    )
    def test_what_the_server_lacks_is_named(self, run, tmp_path, kind, words):
        made = make_url(fresh_database("postgresql", tmp_path))
        changed = made.set(**{"username": "nobody"} if kind == "role" else {"database": "nothing"})
        done = run("check", ACCORD_DATABASE_URL=changed.render_as_string(hide_password=False))
        assert_refused(done, words)

    @pytest.mark.parametrize("command", ["seed", "check", "serve", "delete-orphan-files"])
    def test_database_without_migrations_is_refused_with_the_command(self, run, command):
        done = run(command)
        assert_refused(done, f"The database has migration None, this release needs {HEAD}: run `migrate`.")
        assert done.stdout == ""

    @pytest.mark.parametrize("command", ["seed", "check", "serve", "delete-orphan-files"])
    def test_database_with_old_migrations_is_refused_with_the_command(self, run, command):
        run("migrate")
        run("migrate --to 0001")
        assert_refused(run(command), f"The database has migration 0001, this release needs {HEAD}: run `migrate`.")

    def test_table_without_a_migration_is_not_blamed_on_migrate(self, run, settings):
        """Its author has forgotten the migration: `migrate` has nothing to do, and check must not point to it."""
        run("migrate")
        with sqlite3.connect(settings["ACCORD_DATABASE_URL"].removeprefix("sqlite:///")) as connection:
            connection.execute("drop table tasks")
            connection.execute("alter table files drop column description")
        words = "Error: No migration has created column description of table files, table tasks; write it as in docs/"
        assert_refused(run("check"), words)

    @pytest.mark.parametrize(
        "command", ["seed", "check", "serve", "delete-orphan-files", "migrate", "migrate --to base"]
    )
    def test_database_of_a_newer_release_is_refused(self, run, settings, command):
        run("migrate")
        with sqlite3.connect(settings["ACCORD_DATABASE_URL"].removeprefix("sqlite:///")) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
        words = f"The database has migration 9999, but the newest one of this release is {HEAD}: use"
        assert_refused(run(command), words, "migrate --to")

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_migrations_go_up_and_down(self, run, kind, tmp_path):
        url = fresh_database(kind, tmp_path)
        for command, status in (
            ("migrate", 0), ("check", 0), ("migrate", 0), ("migrate --to base", 0), ("check", 1), ("migrate", 0),
            ("seed", 0),
            ("seed", 0),
        ):  # fmt: skip
            done = run(command, ACCORD_DATABASE_URL=url)
            assert done.returncode == status, (command, done.stderr)
            assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_seeds_at_once_add_the_demo_data_once(self, settings, kind, tmp_path):
        environment = settings | {"ACCORD_DATABASE_URL": migrated_database(kind, tmp_path)}
        command = [sys.executable, "main.py", "seed"]
        seeds = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        printed = [seed.communicate() for seed in seeds]
        assert [seed.returncode for seed in seeds] == [0, 0], printed
        assert sum(out.startswith(b"The demo data is complete.") for out, _ in printed) == 1

    @pytest.mark.parametrize("revision", ["nonsense", "-1"])
    def test_revision_that_there_is_not_is_refused(self, run, revision):
        assert_refused(run(f"migrate --to {revision}"), f"There is no revision {revision}; known: base, 0001, ")


class TestContract:
    def test_contract_is_written_to_a_file_and_to_the_output_alike(self, run, tmp_path):
        assert run(f"openapi {tmp_path / 'made.json'}").returncode == 0
        made = json.loads((tmp_path / "made.json").read_text())
        assert json.loads(run("openapi").stdout) == made
        assert yaml.safe_load(run("openapi --yaml").stdout)["paths"].keys() == made["paths"].keys()

    def test_file_that_cannot_be_written_is_refused(self, run):
        assert_refused(run("openapi /nowhere/made.json"), "/nowhere/made.json")

    def test_operations_are_listed_each_in_its_line(self, run):
        listed = run("operations").stdout.splitlines()
        committed = (ROOT / "tests" / "conformance" / "operations.txt").read_text().splitlines()
        assert [line.split() for line in listed] == [line.split() for line in committed]

    @pytest.mark.parametrize(
        ("file", "before", "after", "words"),
        [
            ("openapi/paths/tags.yaml", "operationId: list_tags", "operationId: list_tgas",
             ["openapi/paths/tags.yaml:", "list_tgas", "handlers.tags", "write it, or remove the operation"]),
            ("openapi/paths/tags.yaml", "summary:", "summary: [", ["openapi/paths/tags.yaml", "YAML"]),
            ("openapi/paths/tags.yaml", "schemas/TagPage.yaml", "schemas/TagPgae.yaml",
             ["openapi/paths/tags.yaml:", "TagPgae.yaml"]),
            ("openapi/paths/health_live.yaml", "security: []", "x-secrity: []",
             ["openapi/paths/health_live.yaml:", "x-secrity", "unknown extension"]),
        ],
        ids=["handler", "syntax", "reference", "word"],
    )  # fmt: skip
    def test_broken_contract_is_refused_with_file_line_and_remedy(self, start, tmp_path, file, before, after, words):
        tree = copy_of_program(tmp_path)
        text = (tree / file).read_text()
        assert before in text
        (tree / file).write_text(text.replace(before, after, 1))
        assert_refused(start("operations", tree), *words, lines=4)


class TestServe:
    @pytest.mark.parametrize("options", ["", " --workers 2", " --reload"])
    def test_port_that_is_taken_is_said_to_be_so(self, run, options):
        run("migrate")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run(f"serve --port {port}{options}")
        assert_refused(
            done, f"Error: Port {port} of 127.0.0.1 is in use: stop the program that uses it, or set --port or"
        )
        assert done.stdout == ""

    def test_port_of_the_metrics_that_is_taken_is_said_to_be_so(self, run):
        run("migrate")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run("serve", ACCORD_METRICS_PORT=str(port))
        assert_refused(done, f"Error: Port {port} of 127.0.0.1 is in use: ", "or set ACCORD_METRICS_PORT.")

    @pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "2001:db8::1"])
    def test_address_of_another_machine_is_said_to_be_so(self, run, host):
        run("migrate")
        done = run(f"serve --host {host}")
        assert_refused(done, f"Error: The address {host} is not one of this machine: correct --host or ACCORD_HOST.")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open every port")
    def test_port_of_the_system_is_said_to_need_a_permission(self, run):
        run("migrate")
        assert_refused(run("serve --port 1"), "Error: Port 1 needs a permission that this user lacks: set --port or")

    @pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=["alone", "workers", "reload"])
    def test_addresses_are_printed_when_the_port_answers(self, run, settings, options):
        """Each of them answers at its first request, without a retry, and the port is the actual one."""
        run("migrate")
        command = [sys.executable, "main.py", "serve", "--port", "0", *options]
        with subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as served:
            try:
                printed = "".join(served.stdout.readline() for _ in range(4))
                for address in re.findall(r"http://127\.0\.0\.1:\d+/[^\s']+", printed):
                    assert httpx.get(address, timeout=60).status_code == 200
            finally:
                served.terminate()

    def test_reload_serves_each_change_of_the_contract_or_says_what_is_wrong(self, run, settings, tmp_path):
        run("migrate")
        tree, log = copy_of_program(tmp_path), tmp_path / "log"
        path = tree / "openapi" / "paths" / "tags.yaml"
        original = path.read_text()
        command = [sys.executable, "main.py", "serve", "--port", "0", "--reload"]
        with (
            log.open("w") as stderr,
            subprocess.Popen(
                command, cwd=tree, env=settings, stdout=subprocess.PIPE, stderr=stderr, text=True
            ) as served,
        ):
            try:
                printed = "".join(served.stdout.readline() for _ in range(4))
                contract = re.search(r"http://\S+/openapi\.json", printed)[0]

                def summary():
                    return httpx.get(contract, timeout=PATIENCE).json()["paths"]["/api/v1/tags"]["get"]["summary"]

                before = summary()
                path.write_text(original.replace(f"summary: {before}", "summary: All of them", 1))
                wait_until(lambda: summary() == "All of them")
                path.write_text(original.replace("operationId: list_tags", "operationId: list_tgas", 1))
                wait_until(lambda: "Error: openapi/paths/tags.yaml:" in log.read_text())
                path.write_text(original)
                assert summary() == before
            finally:
                served.terminate()
        assert "Traceback" not in log.read_text()


def test_each_command_says_what_it_does(run):
    for command in ("", *COMMANDS):
        done = run(f"{command} --help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{command} [OPTIONS]".strip() in done.stdout


def test_command_that_there_is_not_is_refused(run):
    assert_refused(run("serv"), "serv", lines=4)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_list_of_commands_says_what_the_command_itself_says(name):
    _, text = cli.COMMANDS[name]
    assert cli.cli.get_command(None, name).help.startswith(text)


def test_help_imports_neither_engine_nor_database():
    code = """
import sys
from itertools import product
from accord import cli
sys.argv = ["main.py", "--help"]
try:
    cli.main()
except SystemExit:
    print({"accord.engine", "connexion", "sqlalchemy"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_serving_imports_no_packages_that_it_never_calls():
    """Connexion has stand-ins for HTTP clients, which become the packages when they are called."""
    program = """
import sys, accord.cli.serve, connexion.security
print(*sorted({"alembic", "httpx", "openapi_spec_validator", "requests", "starlette.testclient"} & sys.modules.keys()))
print(type(connexion.security.httpx.AsyncClient()).__module__)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "httpx"]
