"""Parser of forms (multipart and URL-encoded): fields and files become the properties of an object."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO, cast

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.engine.parsers.multipart import FilePart, MultipartError, MultipartParser
from accord.engine.parsers.parameters import parse_query
from accord.engine.parsers.scalars import ParseScalar, scalar_parser
from accord.engine.parsers.signatures import detect_media_types
from accord.engine.problems import Problem, body_error
from accord.engine.request import Request

_CHUNK = 64 * 1024
_ANY_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """
    A file of a form. Content of more than 1 MiB is in a temporary file. It is deleted at the end of the request.

    `media_type` is detected as `FormParser` says. `size` is in bytes.
    """

    name: str
    media_type: str
    size: int
    file: BinaryIO


@dataclass(frozen=True, slots=True)
class _FileField:
    """A property that is a file: its media types, in lower case, and its maximum size in bytes."""

    accepted: list[str]
    max_size: float

    def accepts(self, media_type: str) -> bool:
        return bool({media_type, media_type.partition("/")[0] + "/*", "*/*"} & set(self.accepted))


def without_files(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* in the form that its schema validates: with null for each file."""

    def replace_files(value: Any) -> Any:
        if isinstance(value, list):
            return [replace_files(item) for item in value]
        return None if isinstance(value, UploadedFile) else value

    return {name: replace_files(value) for name, value in body.items()}


class FormParser:
    """
    Parses forms whose properties are scalars, lists of scalars, and files (`format: binary` or `contentMediaType`).

    `maxLength` is the maximum size of a file in bytes. The media type of a file is detected from its content, whatever
    the client declares. Only where `application/octet-stream` is accepted, the declared one counts, without detection.
    `files_size` is the maximum size of all files together in bytes, or 0 if a property has no maximum.
    """

    def __init__(self, schema: Any, encoding: dict[str, Any], schemas: JsonSchemas) -> None:
        """Raise ContractError for a property of another type."""
        merged = schemas.merge(schema)
        self._parsers: dict[str, ParseScalar | None] = {}
        self._lists: set[str] = set()
        self._files: dict[str, _FileField] = {}
        sizes: list[float] = []
        file_schemas: dict[str, Any] = {}
        for name, member in merged.get("properties", {}).items():
            shape = schemas.merge(member)
            item = shape
            if "array" in schemas.types(member):
                self._lists.add(name)
                item = schemas.merge(shape.get("items", {}))
            if item.get("format") == "binary" or "contentMediaType" in item:
                accepted = encoding.get(name, {}).get("contentType", item.get("contentMediaType", "*/*"))
                max_size = item.get("maxLength", math.inf)
                self._files[name] = _FileField([kind.strip().lower() for kind in accepted.split(",")], max_size)
                sizes.append(max_size * (shape.get("maxItems", math.inf) if name in self._lists else 1))
                file_schemas[name] = {**shape, "items": True} if name in self._lists else True
                continue
            try:
                self._parsers[name] = scalar_parser(item, schemas, schemas.validator(item, "request"))
            except KeyError as error:
                message = (
                    f"form field {name}: a field cannot have type {error}; use scalars, lists of scalars or files."
                )
                raise error_at(member, message) from None
        self.files_size = int(sum(sizes)) if math.isfinite(sum(sizes)) else 0
        # A file is not a JSON value. The schema validates whether it is there, and this parser validates its content.
        self.schema = {**merged, "properties": merged["properties"] | file_schemas} if file_schemas else schema

    async def parse_urlencoded(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Return the properties of an `application/x-www-form-urlencoded` body. Raises a 400 Problem."""
        raw = b"".join([chunk async for chunk in chunks])
        request.raw_body = raw
        try:
            fields = parse_query(raw)
        except Problem:
            raise Problem(400, "The body is not a percent-encoded form in UTF-8.") from None
        return self._members([(name, text) for name, texts in fields.items() for text in texts])

    async def parse_multipart(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Return the properties of a `multipart/form-data` body. Raises Problem: 400, 413 or 415."""
        try:
            parser = MultipartParser(request.headers[b"content-type"].decode("latin-1"))
            # The request owns the files from the first byte, so that an error closes them.
            request.files = parser.files
            await parser.parse(chunks)
        except MultipartError as error:
            raise Problem(400, f"The body is not a multipart form: {error}") from None
        if b"idempotency-key" in request.headers:
            request.raw_body = await asyncio.to_thread(_digest, parser.items)
        return self._members(parser.items)

    def _members(self, items: Sequence[tuple[str, str | FilePart]]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in items:
            if name in self._files:
                member: Any = self._uploaded_file(name, value)
            elif not isinstance(value, str):
                raise _field_problem(name, "This field cannot be a file.", "type")
            else:
                parse = self._parsers.get(name)
                member = parse(value) if parse else value
            if name in self._lists:
                body.setdefault(name, []).append(member)
            elif name in body:
                raise _field_problem(name, "The field is repeated.", "repeated")
            else:
                body[name] = member
        return body

    def _uploaded_file(self, name: str, value: str | FilePart) -> UploadedFile:
        if isinstance(value, str):
            raise _field_problem(name, "This field must be a file.", "type")
        declared = value.media_type or _ANY_MEDIA_TYPE
        field = self._files[name]
        file = cast("BinaryIO", value.file)
        if value.size > field.max_size:
            raise _field_problem(name, f"The file may have at most {field.max_size} bytes.", "maxLength", status=413)
        media_type = declared if field.accepts(_ANY_MEDIA_TYPE) else _detect_media_type(file, declared, field)
        if media_type is None or not field.accepts(media_type):
            raise _field_problem(name, f"The file must be {', '.join(field.accepted)}.", "contentType", status=415)
        return UploadedFile(value.filename, media_type, value.size, file)


def _digest(items: Sequence[tuple[str, str | FilePart]]) -> bytes:
    """Return a hash of the fields and files of a form.

    The bytes of equal forms differ by their boundaries, so they cannot be compared.
    """
    digest = blake2b(digest_size=32)
    for name, value in items:
        if isinstance(value, str):
            digest.update(repr((name, value)).encode())
            continue
        digest.update(repr((name, value.filename, value.media_type, value.size)).encode())
        while chunk := value.file.read(_CHUNK):
            digest.update(chunk)
        value.file.seek(0)
    return digest.digest()


def _detect_media_type(file: BinaryIO, declared: str, field: _FileField) -> str | None:
    """Return the accepted media type of the content of *file*; None if there is none.

    The content of text has no signature, so *declared* counts for text.
    """
    detected = detect_media_types(file) or ([declared] if declared.startswith("text/") else [])
    return next((media_type for media_type in detected if field.accepts(media_type)), None)


def _field_problem(name: str, detail: str, code: str, status: int = 400) -> Problem:
    return Problem(status, f"{name}: {detail}", [body_error(pointer([name]), detail, code)])
