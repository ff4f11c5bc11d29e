"""Stored documents are those of the files, and are used only as long as the files and their validation are the same."""

import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import handlers.products
from accord.app import document_cache
from accord.app.container import Container
from accord.app.document_cache import DocumentCache
from accord.app.documents import CONTRACTS, ROOT
from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.settings import Settings

FOLDER = ROOT / "openapi"
DOCUMENTS = {name: Document.read(index) for name, index in CONTRACTS.items()}


@pytest.fixture(autouse=True)
def _bytecode(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "documents.json"


@pytest.fixture
def folder(tmp_path):
    """A copy of the files of the contract."""
    return Path(shutil.copytree(FOLDER, tmp_path / "openapi"))


@pytest.fixture(scope="module")
def body():
    """The stored documents."""
    return DocumentCache(FOLDER, ROOT).serialize(DOCUMENTS)


@pytest.fixture
def cache(folder, file, body):
    """A cache in which the documents are stored."""
    cache = DocumentCache(folder, file)
    assert cache.load() is None
    cache.store(body)
    assert cache.load()
    return cache


def test_stored_documents_are_those_of_the_files(cache):
    loaded = cache.load()
    assert list(loaded) == list(DOCUMENTS)
    for name, document in DOCUMENTS.items():
        # The order of members counts as well: the published document has it.
        assert repr(loaded[name].public()) == repr(document.public())
        assert loaded[name].raw == document.raw
        assert loaded[name].common_headers == document.common_headers


def test_contract_of_stored_documents_has_the_same_operations(file, tmp_path):
    read = Container(Settings(data_dir=tmp_path)).contract
    cache = DocumentCache(FOLDER, file)
    first, second = (Container(Settings(data_dir=tmp_path), document_cache=cache) for _ in range(2))
    assert not any(document.is_valid for document in first.documents.values())
    assert len(first.contract.operations) == len(read.operations)
    assert all(document.is_valid for document in second.documents.values())
    for operation, stored in zip(read.operations, second.contract.operations, strict=True):
        assert (stored.id, stored.path_item.template, stored.method) == (
            operation.id, operation.path_item.template, operation.method
        )  # fmt: skip
        assert stored.spec == operation.spec
    for path, publish in read.published_documents.items():
        assert second.contract.published_documents[path]("/shop").body == publish("/shop").body


CHANGES = {
    "changed": lambda folder: folder.joinpath("problems.md").write_text("# Other problems\n"),
    "added": lambda folder: (folder / "paths" / "unused.yaml").write_text("{}"),
    "removed": lambda folder: next(iter(sorted(folder.rglob("*.yaml")))).unlink(),
    "renamed": lambda folder: (folder / "problems.md").rename(folder / "problem.md"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_documents_whose_files_changed_are_not_used(cache, folder, change):
    change(folder)
    assert cache.load() is None


def test_documents_that_another_version_validated_are_not_used(cache, monkeypatch):
    monkeypatch.setattr(document_cache, "version", lambda name: version(name) + ".1")
    assert cache.load() is None


def test_documents_that_other_code_validated_are_not_used(cache, monkeypatch, tmp_path):
    code = Path(shutil.copytree(document_cache.contract.__path__[0], tmp_path / "contract"))
    monkeypatch.setattr(document_cache.contract, "__path__", [str(code)])
    assert cache.load()
    code.joinpath("validation.py").write_text("")
    assert cache.load() is None


def test_broken_file_is_ignored_and_replaced(cache, file):
    whole = file.read_bytes()
    line = whole.index(b"\n")
    broken = [b"", b"\n", whole[:line], whole[: line + 1], whole[:-1], whole + b"}", whole[line:], whole[: 1 << 16]]
    broken += [whole.replace(b"3.1", b"3.2", 1), whole.replace(b'"get"', b'"put"', 1), b"\xff" + whole]
    for content in broken:
        assert content != whole
        file.write_bytes(content)
        assert cache.load() is None
    cache.store(whole[line + 1 :])
    assert cache.load()


@pytest.mark.usefixtures("cache")
def test_file_is_of_its_owner_alone(file):
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_documents_whose_files_changed_during_the_start_are_not_stored(folder, file, body, change):
    cache = DocumentCache(folder, file)
    assert cache.load() is None
    change(folder)
    cache.store(body)
    assert not file.exists()


def test_nothing_is_stored_where_python_stores_no_bytecode(folder, file, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    DocumentCache(folder, file).store(b"{}")
    assert not file.parent.exists()


def test_folder_that_cannot_be_written_is_no_error(folder, file):
    # A file in its place stops root as well, unlike permissions.
    file.parent.write_text("")
    cache = DocumentCache(folder, file)
    cache.store(b"{}")
    assert cache.load() is None


def test_documents_with_files_of_other_folders_are_not_stored(folder, file):
    assert DocumentCache(folder, file).serialize(DOCUMENTS) is None


def test_error_of_a_handler_has_its_place_in_the_files(file, monkeypatch, tmp_path):
    cache = DocumentCache(FOLDER, file)
    assert Container(Settings(data_dir=tmp_path), document_cache=cache).contract
    monkeypatch.setattr(handlers.products, "get_product", lambda session: None)
    container = Container(Settings(data_dir=tmp_path), document_cache=cache)
    assert all(document.is_valid for document in container.documents.values())
    with pytest.raises(ContractError, match=r"^openapi/paths/\S+\.yaml:\d+: get_product declares product_id"):
        assert container.contract
