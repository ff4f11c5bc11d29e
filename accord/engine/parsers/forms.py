"""Reads forms: their fields and files as the members of the object that the contract declares."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

from puremagic import PureError, magic_stream
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.engine.parsers.parameters import parse_query
from accord.engine.parsers.scalars import ParseScalar, scalar_parser
from accord.engine.problems import Problem, body_error
from accord.engine.request import Request

_CHUNK = 64 * 1024
_ANY_MEDIA_TYPE = "application/octet-stream"

# A boundary has up to 70 characters, and little comes after the last one (RFC 2046, section 5.1.1).
_MAX_TRAILER_SIZE = 1000


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """
    A file of a form. Above 1 MiB its content lies on the disk; it is gone when the request is over.

    `media_type` is what the content shows, whatever the client calls it.
    """

    name: str
    media_type: str
    size: int
    file: BinaryIO


@dataclass(frozen=True, slots=True)
class _FileField:
    """What the contract says of a file: its media types, in lower case, and how many bytes it may have."""

    accepted: list[str]
    max_size: float

    def accepts(self, media_type: str) -> bool:
        return bool({media_type, media_type.partition("/")[0] + "/*", "*/*"} & set(self.accepted))


def without_files(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* as a schema can see it: with null for each file."""

    def seen(value: Any) -> Any:
        return (
            [seen(item) for item in value]
            if isinstance(value, list)
            else None
            if isinstance(value, UploadedFile)
            else value
        )

    return {name: seen(value) for name, value in body.items()}


class FormParser:
    """
    A form whose members are scalars, lists of scalars, and files (`format: binary` or `contentMediaType`).

    A file may have as many bytes as its `maxLength` says, and only what it is counts: a media type
    that its content does not show is none, and `application/octet-stream` leaves it to the content.
    `files_size` is how many bytes all files may have, together; nothing if one of them does not say.
    """

    def __init__(self, schema: Any, encoding: dict[str, Any], schemas: JsonSchemas) -> None:
        flat = schemas.merged(schema)
        self._parsers: dict[str, ParseScalar | None] = {}
        self._lists: set[str] = set()
        self._files: dict[str, _FileField] = {}
        sizes: list[float] = []
        seen: dict[str, Any] = {}
        for name, member in flat.get("properties", {}).items():
            shape = schemas.merged(member)
            item = shape
            if "array" in schemas.types(member):
                self._lists.add(name)
                item = schemas.merged(shape.get("items", {}))
            if item.get("format") == "binary" or "contentMediaType" in item:
                accepted = encoding.get(name, {}).get("contentType", item.get("contentMediaType", "*/*"))
                most = item.get("maxLength", math.inf)
                self._files[name] = _FileField([kind.strip().lower() for kind in accepted.split(",")], most)
                sizes.append(most * (shape.get("maxItems", math.inf) if name in self._lists else 1))
                seen[name] = {**shape, "items": True} if name in self._lists else True
                continue
            try:
                self._parsers[name] = scalar_parser(item, schemas, schemas.validator(item, "request"))
            except KeyError as error:
                raise error_at(member, f"form field {name}: a value of type {error} cannot be read.") from None
        self.files_size = int(sum(sizes)) if math.isfinite(sum(sizes)) else 0
        # A file is no JSON value: whether it may be there is the schema's business, what it is, the form's.
        self.schema = {**flat, "properties": flat.get("properties", {}) | seen}

    async def parse_urlencoded(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        raw = b"".join([chunk async for chunk in chunks])
        request.raw_body = raw
        try:
            found = parse_query(raw)
        except Problem:
            raise Problem(400, "The body is not a percent-encoded form in UTF-8.") from None
        return self._members([(name, text) for name, texts in found.items() for text in texts])

    async def parse_multipart(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        end = b""

        async def watched() -> Any:
            nonlocal end
            async for chunk in chunks:
                end = (end + chunk)[-_MAX_TRAILER_SIZE:]
                yield chunk

        content_type = request.headers[b"content-type"]
        headers = Headers({"content-type": content_type.decode("latin-1")})
        parser = MultiPartParser(headers, watched())
        # The files are the request's from the first byte on: it closes them, however it ends.
        request.files = parser._files_to_close_on_error  # Starlette closes them for its own errors only.
        try:
            form = await parser.parse()
        except (MultiPartException, ValueError, LookupError) as error:
            raise Problem(400, f"The body is not a multipart form: {error}") from None
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if b"--" + boundary + b"--" not in end:
            raise Problem(400, "The body is not a multipart form: its end is missing.")
        if b"idempotency-key" in request.headers:
            request.raw_body = await asyncio.to_thread(_digest, form.multi_items())
        return self._members(form.multi_items())

    def _members(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in items:
            if name in self._files:
                made: Any = self._upload(name, value)
            elif not isinstance(value, str):
                raise _problem(name, "This field is no file.", "type")
            elif "\0" in name + value:
                raise _problem(name, "The field has a NUL character.", "nul")
            else:
                read = self._parsers.get(name)
                made = read(value) if read else value
            if name in self._lists:
                body.setdefault(name, []).append(made)
            elif name in body:
                raise _problem(name, "This field is given more than once.", "repeated")
            else:
                body[name] = made
        return body

    def _upload(self, name: str, value: Any) -> UploadedFile:
        if isinstance(value, str):
            raise _problem(name, "This field must be a file.", "type")
        declared = (value.content_type or _ANY_MEDIA_TYPE).partition(";")[0].strip().lower()
        field, size = self._files[name], value.size or 0
        if size > field.max_size:
            raise _problem(name, f"The file may have at most {field.max_size} bytes.", "maxLength", status=413)
        media_type = declared if field.accepts(_ANY_MEDIA_TYPE) else _detected_media_type(value.file, declared, field)
        if media_type is None or not field.accepts(media_type):
            raise _problem(name, f"The file must be {', '.join(field.accepted)}.", "contentType", status=415)
        return UploadedFile(value.filename or "", media_type, size, value.file)


def _digest(items: list[tuple[str, Any]]) -> bytes:
    """Return a hash of what a form says; its bytes would tell two of the same apart by their boundaries."""
    digest = blake2b(digest_size=32)
    for name, value in items:
        if isinstance(value, str):
            digest.update(repr((name, value)).encode())
            continue
        digest.update(repr((name, value.filename, value.content_type, value.size)).encode())
        while chunk := value.file.read(_CHUNK):
            digest.update(chunk)
        value.file.seek(0)
    return digest.digest()


def _detected_media_type(file: BinaryIO, declared: str, field: _FileField) -> str | None:
    """Return the accepted media type that the content shows; text shows none, and is taken for what it is called."""
    try:
        found = magic_stream(file)
    except (PureError, ValueError):
        return declared if declared.startswith("text/") and field.accepts(declared) else None
    finally:
        file.seek(0)
    begins = [match for match in found if match.offset >= 0]
    best = [match.mime_type for match in begins if match.confidence == begins[0].confidence]
    return next((media_type for media_type in best if field.accepts(media_type)), None)


def _problem(name: str, detail: str, code: str, status: int = 400) -> Problem:
    return Problem(status, f"{name}: {detail}", [body_error(pointer([name]), detail, code)])
