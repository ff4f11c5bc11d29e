"""
Stores the documents of the contract when they have passed validation, so that the next start need not read them anew.

They are in one file beside the bytecode of this package. Like bytecode, it is written if the folder can be written, and
is valid for one state of its sources.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from accord import contract
from accord.contract.document import Document
from accord.storage.atomic import atomic_write

_PACKAGES = ("jsonschema-rs", "openapi-spec-validator", "PyYAML")
"""The packages that read and validate documents."""


class DocumentCache:
    """Stores the documents of the contract in *folder*, by version, in *file*."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder = folder
        self._file = file
        self._sources: bytes | None = None
        """The digest of the sources before the documents are read."""

    def load(self) -> dict[str, Document] | None:
        """Return the documents; None if their files have changed, or they are not stored or cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            self._sources = self._digest()
            head, body = self._file.read_bytes().split(b"\n", 1)
            if head == _head(self._sources, body):
                return {
                    name: Document(stored["raw"], common_headers=frozenset(stored["common_headers"]), is_valid=True)
                    for name, stored in json.loads(body).items()
                }
        return None

    def serialize(self, documents: Mapping[str, Document]) -> bytes | None:
        """Return *documents*, which were read from their files, for `store`; None if files are not in the folder."""
        sources = [document.sources for document in documents.values()]
        if not all(source and all(file.is_relative_to(self._folder) for file in source.files) for source in sources):
            return None
        stored = {
            name: {"raw": document.raw, "common_headers": sorted(document.common_headers)}
            for name, document in documents.items()
        }
        return json.dumps(stored, separators=(",", ":")).encode()

    def store(self, body: bytes) -> None:
        """
        Store the documents in *body*, which have passed validation, unless Python is told to write no bytecode.

        They are not stored either if a source has changed since `load`, because it is unknown which content was read.
        """
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            if self._digest() != self._sources:
                return
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._file) as stream:
                stream.write(_head(self._sources, body) + b"\n" + body)

    def _digest(self) -> bytes:
        """Return the digest of all that documents depend on: the contract, and what reads and validates it."""
        digest = blake2b(digest_size=32)
        for part in [sys.version, *(f"{name} {version(name)}" for name in _PACKAGES)]:
            digest.update(part.encode() + b"\0")
        for folder, pattern in (self._folder, "*"), (Path(contract.__path__[0]), "*.py"):
            for file in sorted(file for file in folder.rglob(pattern) if file.is_file()):
                content = file.read_bytes()
                digest.update(f"{file.relative_to(folder)} {len(content)}\0".encode() + content)
        return digest.digest()


def _head(sources: bytes, body: bytes) -> bytes:
    """Return the first line of the file: the digest of *body*, and of its sources."""
    return blake2b(sources + body, digest_size=32).hexdigest().encode()
