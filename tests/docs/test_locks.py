"""The lock files hold whatever is released later, and make installs all of them by one rule; without a network."""

import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NESTED = ("requirements.lock", "requirements-tracing.lock", "requirements-dev.lock")
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
TRACING = PROJECT["project"]["optional-dependencies"]["tracing"]
ASKED = {
    "requirements.lock": RUN,
    "requirements-tracing.lock": [*RUN, *TRACING],
    "requirements-dev.lock": [*RUN, *TRACING, *PROJECT["dependency-groups"]["dev"]],
    "requirements-installer.lock": PROJECT["dependency-groups"]["installer"],
    "bench/requirements.lock": re.findall(
        r"^[a-z].*$", ROOT.joinpath("bench/requirements.in").read_text(), re.MULTILINE
    ),
}
LOCKS = tuple(ASKED)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class Pin(NamedTuple):
    """A line of a lock file: a package with its extras, its version, and where it is installed."""

    name: str
    version: str
    extras: frozenset[str]
    marker: Marker | None

    def applies(self, environment):
        return self.marker is None or self.marker.evaluate(environment)


@pytest.fixture(params=LOCKS)
def lock(request):
    return request.param


@pytest.mark.parametrize(("lock", "wanted"), ASKED.items(), indirect=["lock"], ids=ASKED)
def test_lock_has_what_the_project_asks_for(lock, wanted):
    locked = {pin.name: pin for pin in pins(lock)}
    missing = [
        line
        for line, requirement in zip(wanted, map(Requirement, wanted), strict=True)
        if not (pin := locked.get(canonicalize_name(requirement.name)))
        or not requirement.specifier.contains(pin.version)
        or not requirement.extras <= pin.extras
    ]
    assert missing == [], "Run `make lock`."


def test_line_is_a_pin_or_its_hash(lock):
    pin = r"[a-z0-9._-]+(\[[a-z0-9._, -]+\])?==[^ ;]+( ; .+)? \\"
    others = [
        line
        for line in text(lock).splitlines()
        if not re.fullmatch(rf" *#.*|{pin}|    --hash=sha256:[0-9a-f]{{64}}( \\)?", line)
    ]
    assert others == []


def test_pin_has_hashes(lock):
    blocks = re.split(r"^(?=[a-z0-9])", text(lock), flags=re.MULTILINE)[1:]
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_lock_names_no_host(lock):
    assert re.findall(r"\S+://\S+|--(?:extra-)?index-url\S*|--find-links\S*|--trusted-host\S*", text(lock)) == []


@pytest.mark.parametrize("wider", NESTED[1:])
def test_wider_lock_pins_the_same(wider):
    narrower = NESTED[NESTED.index(wider) - 1]
    assert versions(narrower).items() <= versions(wider).items()


@pytest.mark.parametrize("python", PYTHONS)
def test_requirement_has_its_extras_in_the_lock(lock, python):
    """A pip before 23.3 looks anew for a package that a requirement names with an extra and a lock without."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    locked = {pin.name: pin for pin in pins(lock) if pin.applies(environment)}
    missing = [
        f"{requirement} (for {pin.name})"
        for pin in locked.values()
        for requirement in requirements(pin, environment)
        if requirement.name not in locked or not requirement.extras <= locked[requirement.name].extras
    ]
    assert missing == []


def test_extras_of_installed_packages_are_found():
    """The test above is about something: these are what the lock once lacked."""
    found = {
        f"{requirement.name}[{','.join(requirement.extras)}]"
        for pin in pins("requirements-dev.lock")
        for requirement in requirements(pin, default_environment())
        if requirement.extras
    }
    assert found >= {"coverage[toml]", "flask[async]"}


def test_lock_pins_what_is_installed():
    """What the metadata of installed packages says is then true of the locked ones."""
    others = [
        f"{pin.name} {pin.version} is locked, {installed(pin.name)} is installed"
        for pin in pins("requirements-dev.lock")
        if pin.applies(default_environment()) and installed(pin.name) != pin.version
    ]
    assert others == [], "Run `make .venv/.dev`."


def test_make_installs_each_lock_by_the_same_rule():
    makefile = ROOT.joinpath("Makefile").read_text()
    rules = dict(re.findall(r"^\S+: (\S+\.lock) [^\n]*\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    installer = rules.pop("requirements-installer.lock")
    assert "--require-hashes" in installer
    assert rules.keys() == set(LOCKS) - {"requirements-installer.lock"}
    assert {recipe.splitlines()[-1] for recipe in rules.values()} == {"\t$(install)"}
    assert re.findall(r"pip install", makefile) == ["pip install"] * 2, "One is of the installer, one is of the rule."


def test_installer_is_one_package_without_dependencies():
    (installer,) = pins("requirements-installer.lock")
    assert metadata.requires(installer.name) is None


PIP = {
    "nothing": ([], {}),
    "index": (
        ["global.index-url='https://index.example/simple'", "global.timeout='60'"],
        {"UV_DEFAULT_INDEX": "https://index.example/simple"},
    ),
    "environment before file": (
        [":env:.index-url='https://env.example/simple'", "global.index-url='https://index.example/simple'"],
        {"UV_DEFAULT_INDEX": "https://env.example/simple"},
    ),
    "section of the command before all commands": (
        ["global.index-url='https://index.example/simple'", "install.index-url='https://install.example/simple'"],
        {"UV_DEFAULT_INDEX": "https://install.example/simple"},
    ),
    "several": (
        [r"global.extra-index-url='\nhttps://a.example/simple\nhttps://b.example/simple'"],
        {"UV_INDEX": "https://a.example/simple https://b.example/simple"},
    ),
    "network": (
        [
            "global.cert='/etc/ca.pem'",
            "global.client-cert='/etc/client.pem'",
            "global.proxy='http://proxy.example:3128'",
            "global.trusted-host='index.example'",
        ],
        {
            "SSL_CERT_FILE": "/etc/ca.pem",
            "SSL_CLIENT_CERT": "/etc/client.pem",
            "ALL_PROXY": "http://proxy.example:3128",
            "UV_INSECURE_HOST": "index.example",
        },
    ),
    "folder beside an index": (["global.find-links='/wheels'"], {}),
    "folder and no index": (
        ["global.find-links='/wheels /more'", "global.no-index='true'"],
        {"UV_FIND_LINKS": "/wheels,/more", "arguments": "--no-index"},
    ),
}


@pytest.mark.parametrize(("configured", "told"), PIP.values(), ids=PIP)
def test_installer_is_told_what_pip_knows(make, configured, told):
    assert make(configured) == told


def test_own_variables_of_the_installer_go_first(make):
    configured = ["global.index-url='https://index.example/simple'", "global.cert='/etc/ca.pem'"]
    own = {"UV_DEFAULT_INDEX": "https://own.example/simple", "SSL_CERT_FILE": "/own.pem"}
    assert make(configured, **own) == own


@pytest.fixture
def make(tmp_path):
    """Runs the rule of requirements.lock with a pip that is configured so, and returns what uv is told."""
    names = ["UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_INSECURE_HOST"]
    names += ["SSL_CERT_FILE", "SSL_CLIENT_CERT", "ALL_PROXY"]
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "venv" / ".installer").touch()

    def program(name, script):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(configured, **environment):
        tmp_path.joinpath("configured").write_text("".join(f"{line}\n" for line in configured))
        program("python", f"[ \"$*\" = '-m pip config list' ] && cat {tmp_path}/configured")
        told = "; ".join(f'echo "{name}=${name}"' for name in names)
        program("uv", f'{{ {told}; echo "arguments=$*"; }} >{tmp_path}/told')
        command = ["make", "--silent", f"VENV={tmp_path}/venv", "--assume-old", f"{tmp_path}/venv/.installer"]
        environment["PATH"] = os.environ["PATH"]
        subprocess.run([*command, f"{tmp_path}/venv/.run"], cwd=ROOT, check=True, env=environment)
        lines = dict(line.split("=", 1) for line in tmp_path.joinpath("told").read_text().splitlines())
        said = lines.pop("arguments").split()
        assert {"--require-hashes", "--no-deps"} <= set(said)
        assert said[-2:] == ["--requirement", "requirements.lock"]
        if "--no-index" in said:
            lines["arguments"] = "--no-index"
        return {name: value for name, value in lines.items() if value}

    return run


def text(lock):
    return ROOT.joinpath(lock).read_text()


def pins(lock):
    for line in re.findall(r"^([a-z0-9].*?)(?: \\)?$", text(lock), re.MULTILINE):
        requirement = Requirement(line)
        (version,) = requirement.specifier
        yield Pin(requirement.name, version.version, frozenset(requirement.extras), requirement.marker)


def versions(lock):
    return {pin.name: pin.version for pin in pins(lock)}


def installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirements(pin, environment):
    """What the package asks for, with its locked extras; nothing, if another version of it is installed, or none."""
    if installed(pin.name) == pin.version:
        for line in metadata.requires(pin.name) or []:
            requirement = Requirement(line)
            requirement.name = canonicalize_name(requirement.name)
            extras = pin.extras or {""}
            if not requirement.marker or any(requirement.marker.evaluate({**environment, "extra": e}) for e in extras):
                yield requirement
