"""The files under openapi/: each has its name and its place, and reads as the others do."""

import re

import pytest
import yaml

from accord.app.documents import CONTRACTS
from accord.contract.document import METHODS
from tests.support.operations import OPERATIONS, PUBLISHED, each

ROOT = CONTRACTS["v1"].parents[1]
FILES = {file.relative_to(ROOT).as_posix(): file for file in sorted(ROOT.rglob("*")) if file.is_file()}
PATHS = [name for name in FILES if name.startswith("paths/")]
INDEXES = {version: index.relative_to(ROOT).as_posix() for version, index in CONTRACTS.items()}
BEGINNINGS = {*INDEXES.values(), "problems.md"}
"""Files that the program reads itself."""

POLICIES = "policies"
ORDER = [
    "operationId", "x-openapi-router-controller", "tags", "summary", "description", "security", POLICIES,
    "parameters", "requestBody", "responses",
]  # fmt: skip


def loaded(name):
    return yaml.safe_load(FILES[name].read_text())


def references(node):
    match node:
        case dict():
            for key, inner in node.items():
                yield from [inner] if key == "$ref" else references(inner)
        case list():
            for inner in node:
                yield from references(inner)


def test_every_file_is_referred_to():
    targets = {
        (FILES[name].parent / reference.partition("#")[0]).resolve()
        for name in FILES
        if name.endswith(".yaml")
        for reference in references(loaded(name))
    }
    assert {name for name, file in FILES.items() if file not in targets} == BEGINNINGS


def test_path_file_is_named_after_its_path():
    for path, item in loaded(INDEXES["v1"])["paths"].items():
        name = re.sub(r"^/(api/v\d+/|\.)?", "", path).replace("/", "_") or "index"
        assert item == {"$ref": f"../paths/{name}.yaml"}


def test_second_version_is_the_first_but_for_customers():
    first, second = (loaded(INDEXES[version]) for version in ("v1", "v2"))
    files = {path: item["$ref"] for path, item in first["paths"].items() if path.startswith("/api/")}
    files = {
        path.replace("/v1/", "/v2/"): {"$ref": file.replace("/paths/", "/paths/v2/") if "/customers" in path else file}
        for path, file in files.items()
    }
    assert second == first | {"paths": files}, f"A path of {INDEXES['v1']} stands in {INDEXES['v2']}, too."


def test_schemas_keep_the_names_of_their_files():
    names = {file.stem for name, file in FILES.items() if name.startswith("components/schemas/")}
    assert {name for document in PUBLISHED.values() for name in document.raw["components"]["schemas"]} == names


@pytest.mark.parametrize("name", PATHS)
def test_operation_reads_in_one_order(name):
    for key, spec in loaded(name).items():
        if key in METHODS:
            assert list(spec) == sorted(spec, key=lambda word: ORDER.index(word if word in ORDER else POLICIES))
            assert list(spec["responses"]) == sorted(spec["responses"])


@each(OPERATIONS)
def test_operation_says_what_it_is(operation):
    spec = operation.spec
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.id), "An operationId is verb_noun."
    assert len(spec["tags"]) == 1
    assert spec["tags"][0] in [tag["name"] for tag in operation.document.raw["tags"]]
    assert re.fullmatch(r"(?!An? |The )[A-Z][a-z]*[a-rt-z]( .*[^.])?", spec["summary"]), "A summary begins with a verb."
    assert re.match(r"[A-Z][a-z]+s ", spec["description"]), "A description says what it does: Returns …, Deletes …"


def test_descriptions_are_sentences_in_the_present_tense():
    descriptions = {text for document in PUBLISHED.values() for text in described(document.raw)}
    assert [text for text in descriptions if not re.search(r"[.!?]$", text.strip())] == []
    assert [text for text in descriptions if re.search(r"\b(will|shall|should)\b", text)] == []


def described(node):
    match node:
        case {"description": str(text)}:
            yield text
    match node:
        case dict():
            for key, inner in node.items():
                if key not in ("example", "default"):
                    yield from described(inner)
        case list():
            for inner in node:
                yield from described(inner)
