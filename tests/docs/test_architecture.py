"""The rooms of docs/architecture.md import each other in one direction only."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from accord.contract.validation import KNOWN_EXTENSIONS

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT.joinpath("docs/architecture.md").read_text("utf-8")
ROOMS = {
    room: (set(re.findall(r"`([\w.]+)`", ours)), set(re.findall(r"`(\w+)`", never)))
    for room, ours, never in re.findall(r"^\| `([\w.]+)` \| [^|]+ \|([^|]*)\|([^|]*)\|$", TEXT, re.MULTILINE)
}
KNOWS_CONNEXION = {
    *(f"accord/app/{name}.py" for name in ("container", "deferred_imports", "factory")),
    *(f"accord/engine/{name}.py" for name in ("contract", "resolution", "security")),
}


def files(room):
    path = ROOT.joinpath(*room.split("."))
    return [path.with_suffix(".py")] if path.with_suffix(".py").exists() else sorted(path.rglob("*.py"))


def imported(node):
    """The modules that are imported, also if only for their types, and what is taken from them."""
    match node:
        case ast.Import(names):
            yield from (name.name for name in names)
        case ast.ImportFrom(module, names, 0):
            yield from (f"{module}.{name.name}" for name in names)
        case ast.ImportFrom():
            pytest.fail("An import names its module in full.")
    for inner in ast.iter_child_nodes(node):
        yield from imported(inner)


def imports(file):
    return set(imported(ast.parse(file.read_text("utf-8"))))


def packages(file):
    return {name.partition(".")[0] for name in imports(file)}


def room_of(name):
    """The room that the dotted *name* is in, if it is in one."""
    return next((room for room in ROOMS if name == room or name.startswith(f"{room}.")), None)


def test_every_room_is_in_the_table():
    ours = {file.parent.name if file.name == "__init__.py" else file.stem for file in ROOT.glob("*/__init__.py")}
    ours |= {file.stem for file in ROOT.glob("*.py")}
    inside = {file.parent.name for file in ROOT.glob("accord/*/__init__.py")}
    inside |= {file.stem for file in ROOT.glob("accord/[!_]*.py")}
    assert ours - {"accord", "bench", "tests"} | {f"accord.{name}" for name in inside} == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_what_it_may(room):
    may, _ = ROOMS[room]
    for file in files(room):
        assert {room_of(name) for name in imports(file)} - {None} <= may | {room}, file
        assert not packages(file) & {"bench", "tests"}, file


@pytest.mark.parametrize("room", ROOMS)
def test_room_does_not_know_what_it_must_not(room):
    _, never = ROOMS[room]
    for file in files(room):
        assert not packages(file) & never, file


def test_rooms_stand_in_one_order():
    assert list(TopologicalSorter({room: may for room, (may, _) in ROOMS.items()}).static_order())


def test_no_module_of_the_engine_imports_itself_by_a_detour():
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for room in ("accord.contract", "accord.engine")
        for file in files(room)
    }
    graph = {
        module: {name for found in imports(file) for name in (found, found.rpartition(".")[0]) if name in modules}
        for module, file in modules.items()
    }
    assert list(TopologicalSorter(graph).static_order())


def test_connexion_is_known_at_few_sites():
    rooms = [file for room in ROOMS for file in files(room)]
    assert {str(file.relative_to(ROOT)) for file in rooms if "connexion" in packages(file)} <= KNOWS_CONNEXION


@pytest.mark.parametrize("second", sorted(ROOT.glob("handlers/v*/[!_]*.py")), ids=lambda file: file.stem)
def test_versions_are_served_by_the_same_services(second):
    served, before = called(second), called(ROOT / "handlers" / second.name)
    assert served == {name: before[name] for name in served} != {}


def called(file):
    """The functions of services that each operation calls."""
    tree = ast.parse(file.read_text("utf-8"))
    services = {name.rpartition(".")[2] for name in imported(tree) if name.startswith("services.")}
    return {
        function.name: {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in services
        }
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_")
    }


def test_words_of_our_own_are_explained():
    table = TEXT.partition("| word |")[2]
    assert set(re.findall(r"`(x-[\w-]+)`", table)) == KNOWN_EXTENSIONS
