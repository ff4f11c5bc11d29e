"""The published document: one, whole, and for its readers."""

from pathlib import Path

import httpx
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from contract.document import IMPLEMENTATION_WORDS
from tests.contract.operations import PUBLISHED

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
        assert [word for word in [*IMPLEMENTATION_WORDS, "handlers.", "services."] if word in answer.text] == []


def test_list_of_operations_is_the_committed_one(server):
    assert server.run("operations").stdout == OPERATIONS.read_text(), (
        "The operations have changed. If that is meant: main.py operations > tests/contract/operations.txt"
    )
