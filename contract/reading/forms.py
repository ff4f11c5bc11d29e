"""Reads forms: their fields and files as the members of the object that the contract declares."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from contract.document import at
from contract.problems import Problem, body_fault
from contract.reading.parameters import pairs
from contract.reading.scalars import Read, reader
from contract.request import Request
from contract.schemas import Schemas, pointer


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form. Above 1 MiB its content lies on the disk; it is gone when the request is over."""

    name: str
    media_type: str
    size: int
    file: BinaryIO


def without_files(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* as a schema can see it: with null for each file."""
    return {name: None if isinstance(value, Upload) else value for name, value in body.items()}


class Form:
    """A form whose members are scalars, lists of scalars, and files (`format: binary` or `contentMediaType`)."""

    def __init__(self, schema: Any, encoding: dict[str, Any], schemas: Schemas) -> None:
        self.schema = flat = schemas.flat(schema)
        self._reads: dict[str, Read | None] = {}
        self._lists: set[str] = set()
        self._files: dict[str, list[str]] = {}
        for name, member in flat.get("properties", {}).items():
            shape = schemas.flat(member)
            if shape.get("format") == "binary" or "contentMediaType" in shape:
                accepted = encoding.get(name, {}).get("contentType", shape.get("contentMediaType", "*/*"))
                self._files[name] = [kind.strip().lower() for kind in accepted.split(",")]
                continue
            if "array" in schemas.kinds(member):
                self._lists.add(name)
                member = shape.get("items", {})
            try:
                self._reads[name] = reader(member, schemas, schemas.validator(member, "request"))
            except KeyError as error:
                raise at(member, f"form field {name}: a value of type {error} cannot be read.") from None
        # A file is no JSON value: whether it may be there is the schema's business, what it is, the form's.
        self.schema = {**flat, "properties": flat.get("properties", {}) | dict.fromkeys(self._files, True)}

    async def parse_urlencoded(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        raw = request.raw = b"".join([chunk async for chunk in chunks])
        try:
            found = pairs(raw)
        except Problem:
            raise Problem(400, "The body is not a percent-encoded form in UTF-8.") from None
        return self._members([(name, text) for name, texts in found.items() for text in texts])

    async def parse_multipart(self, request: Request, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        digest = blake2b(digest_size=32)

        async def hashed() -> Any:
            async for chunk in chunks:
                digest.update(chunk)
                yield chunk

        headers = Headers({"content-type": request.headers[b"content-type"].decode("latin-1")})
        try:
            form = await MultiPartParser(headers, hashed()).parse()
        except (MultiPartException, ValueError, LookupError) as error:
            raise Problem(400, f"The body is not a multipart form: {error}") from None
        request.raw = digest.digest()
        return self._members(form.multi_items())

    def _members(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in items:
            if name in self._files:
                made: Any = self._upload(name, value)
            elif not isinstance(value, str):
                raise _refusal(name, "This field is no file.", "type")
            elif "\0" in name + value:
                raise _refusal(name, "The field has a NUL character.", "nul")
            else:
                read = self._reads.get(name)
                made = read(value) if read else value
            if name in self._lists:
                body.setdefault(name, []).append(made)
            elif name in body:
                raise _refusal(name, "This field is given more than once.", "repeated")
            else:
                body[name] = made
        return body

    def _upload(self, name: str, value: Any) -> Upload:
        if isinstance(value, str):
            raise _refusal(name, "This field must be a file.", "type")
        media_type = (value.content_type or "application/octet-stream").partition(";")[0].strip().lower()
        accepted = self._files[name]
        if not {media_type, media_type.partition("/")[0] + "/*", "*/*"} & set(accepted):
            raise _refusal(name, f"The file must be {', '.join(accepted)}.", "contentType", status=415)
        return Upload(value.filename or "", media_type, value.size or 0, value.file)


def _refusal(name: str, detail: str, code: str, status: int = 400) -> Problem:
    return Problem(
        status, "The form is not as the contract says; see errors.", [body_fault(pointer([name]), detail, code)]
    )
