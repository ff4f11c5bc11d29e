"""A file or a component that no document refers to is named: it looks as if it were part of the contract."""

import pytest

from accord.app.documents import CONTRACTS
from accord.contract.document import Document
from accord.contract.unused_files import unused_files

INDEX = """\
openapi: 3.1.0
info: {title: T, version: '1'}
paths:
  /used: {$ref: ../paths/used.yaml}
"""
FILES = {
    "v1/openapi.yaml": INDEX,
    "v2/openapi.yaml": INDEX.replace("/used.yaml", "/second.yaml"),
    "paths/used.yaml": "get: {responses: {'200': {$ref: ../components/responses.yaml#/Used}}}\n",
    "paths/second.yaml": "get: {responses: {'200': {$ref: ../components/responses/Second.yaml}}}\n",
    "components/responses.yaml": "Used:\n  description: D\n",
    "components/responses/Second.yaml": "description: D\n",
    "problems.md": "It is for the pages.\n",
}
REFUSED = {
    "path file": (
        {"paths/new.yaml": "get: {}"},
        ["openapi/paths/new.yaml: no document refers to this file; name its path in an index, or remove it."],
    ),
    "schema file": (
        {"components/schemas/New.yaml": "{}"},
        ["openapi/components/schemas/New.yaml: no document refers to this file; refer to it, or remove it."],
    ),
    "files that only an unused file refers to": (
        {
            "paths/new.yaml": "get: {$ref: '../components/schemas/New.yaml#/a'}",
            "components/schemas/New.yaml": "$ref: More.yaml",
            "components/schemas/More.yaml": "{}",
        },
        ["openapi/paths/new.yaml: no document refers to this file; name its path in an index, or remove it."],
    ),
    "files that refer to each other": (
        {"components/schemas/A.yaml": "$ref: B.yaml", "components/schemas/B.yaml": "$ref: A.yaml"},
        [
            "openapi/components/schemas/A.yaml: no document refers to this file; refer to it, or remove it.",
            "openapi/components/schemas/B.yaml: no document refers to this file; refer to it, or remove it.",
        ],
    ),
    "component of a file": (
        {"components/responses.yaml": "Used:\n  description: D\nOther:\n  description: D\n"},
        ["openapi/components/responses.yaml:3: no document refers to the component `Other`; remove it."],
    ),
    "other suffix": (
        {"paths/new.yml": "get: {}"},
        ["openapi/paths/new.yml: no document refers to this file; name its path in an index, or remove it."],
    ),
}


@pytest.fixture
def documents(tmp_path):
    def documents(files):
        for name, text in files.items():
            file = tmp_path / "openapi" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return [Document.read(tmp_path / "openapi" / version / "openapi.yaml") for version in ("v1", "v2")]

    return documents


def test_files_that_any_document_refers_to_are_used(documents):
    assert [*unused_files(documents(FILES))] == []


@pytest.mark.parametrize(("files", "lines"), REFUSED.values(), ids=REFUSED)
def test_file_that_no_document_refers_to_is_named_once(documents, files, lines):
    assert [str(error) for error in unused_files(documents(FILES | files))] == lines


def test_own_contract_has_no_unused_files():
    assert [*unused_files([Document.read(index) for index in CONTRACTS.values()])] == []
