"""The published document: one, whole, and for its readers."""

from pathlib import Path

import httpx
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from accord.contract.document import METHODS, PRIVATE_EXTENSIONS
from tests.support.operations import PUBLISHED

OPERATIONS = Path(__file__).with_name("operations.txt")


@pytest.fixture(scope="module", params=PUBLISHED)
def version(request):
    return request.param


@pytest.fixture(scope="module")
def served(server, version):
    return {kind: httpx.get(f"{server.base}/api/{version}/openapi.{kind}") for kind in ("json", "yaml")}


def test_document_is_openapi(version):
    assert list(OpenAPIV31SpecValidator(PUBLISHED[version].raw).iter_errors()) == []


def test_what_is_served_is_what_the_files_say(served, version):
    assert served["json"].json() == yaml.safe_load(served["yaml"].text) == PUBLISHED[version].raw
    assert [answer.headers["Content-Type"] for answer in served.values()] == ["application/json", "application/yaml"]


@pytest.mark.parametrize(("kind", "options"), [("json", []), ("yaml", ["--yaml"])])
def test_command_line_writes_what_is_served(server, served, version, kind, options):
    assert server.run("openapi", "--version", version, *options).stdout == served[kind].text


def test_readers_see_nothing_of_the_program(served):
    for answer in served.values():
        assert [word for word in [*PRIVATE_EXTENSIONS, "handlers.", "services."] if word in answer.text] == []


def test_list_of_operations_is_the_committed_one(server):
    assert server.run("operations").stdout == OPERATIONS.read_text(), (
        "The operations have changed. If that is meant: main.py operations > tests/conformance/operations.txt"
    )


def test_second_version_changes_what_the_first_deprecates_and_nothing_else():
    first, second = (dict(meanings(document.raw)) for document in PUBLISHED.values())
    changed = {name for name, meaning in first.items() if meaning != second[name]}
    assert first.keys() == second.keys()
    assert changed == {name for name, (*_, spec) in first.items() if spec.get("deprecated")} != set()
    assert [name for name, (*_, spec) in second.items() if spec.get("deprecated")] == []


def meanings(contract):
    """All that a caller can know of each operation that has a version, by its id."""
    for path, item in contract["paths"].items():
        for method in METHODS:
            if path.startswith("/api/") and method in item:
                place = path.removeprefix("/api/").partition("/")[2]
                meaning = whole([item.get("parameters"), item[method]], contract)
                yield item[method]["operationId"], (method, place, *meaning)


def whole(node, contract):
    """The node with all that it refers to."""
    match node:
        case {"$ref": str(reference)}:
            target = contract
            for step in reference.removeprefix("#/").split("/"):
                target = target[step]
            return whole(target, contract)
        case dict():
            return {key: whole(inner, contract) for key, inner in node.items()}
        case list():
            return [whole(inner, contract) for inner in node]
    return node
