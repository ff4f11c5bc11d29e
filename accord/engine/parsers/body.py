"""Parser of request bodies: JSON, forms and CSV, with limits of size and time."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from marshmallow import ValidationError
from werkzeug.http import parse_options_header

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.parsers.csv import CsvParser
from accord.engine.parsers.forms import FormParser, without_files
from accord.engine.problems import ErrorDetail, Problem, body_error
from accord.engine.request import BodyLimits, ClientDisconnect, Request

_MAX_DEPTH = 100
# A list of codings, of which `identity` changes nothing (RFC 9110, section 8.4).
_IDENTITY_CODINGS = re.compile(rb"[ \t,]*(?:identity[ \t]*(?:,[ \t,]*|$))*", re.IGNORECASE)

# Parses the chunks of a body, and sets `Request.raw_body`.
Parse = Callable[[Request, AsyncIterator[bytes]], Awaitable[Any]]


class BodyParser:
    """
    Parses the request bodies of one operation.

    A client that changes a representation and sends it back is told what to do with the properties that only responses
    have. *representation* is the schema of the response.
    """

    def __init__(
        self, spec: dict[str, Any], representation: Any, marshmallow_schemas: MarshmallowSchemas, limits: BodyLimits
    ) -> None:
        self.required: bool = spec.get("required", False)
        self.limits = limits
        content = {name.lower(): media_type for name, media_type in spec["content"].items()}
        self._by_media_type = {
            name.encode(): _MediaTypeParser(name, media_type, representation, marshmallow_schemas)
            for name, media_type in content.items()
        }
        self._accepted = ", ".join(spec["content"])

    async def parse(self, request: Request, errors: list[ErrorDetail]) -> Any:
        """Return the body as Python values, or None after adding its errors to *errors*.

        Raises Problem: 400 for a missing or malformed body, 408 for one that does not arrive in time, 413 for one that
        is too large, 415 for another media type. Raises ClientDisconnect.
        """
        headers = request.headers
        header = headers.get(b"content-type", b"")
        length = headers.get(b"content-length")
        if not header and (length == b"0" or (length is None and b"transfer-encoding" not in headers)):
            if self.required:
                raise Problem(400, "A body is required.", [body_error("", "The body is required.", "required")])
            return None
        parser = self._by_media_type.get(header) or self._by_media_type.get(header.partition(b";")[0].strip().lower())
        limit = self.limits.max_size + (parser.files_size if parser else 0)
        if length is not None and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        if parser is None:
            raise Problem(415, f"The body must be {self._accepted}.", headers={"Accept": self._accepted})
        if not _IDENTITY_CODINGS.fullmatch(headers.get(b"content-encoding", b"")):
            detail = "The body has a Content-Encoding. Send it without one."
            raise Problem(415, detail, headers={"Accept-Encoding": "identity"})
        try:
            async with asyncio.timeout(self.limits.timeout) as deadline:
                value = await parser.parse(request, self._chunks(request, limit, deadline))
        except TimeoutError:
            limits = self.limits
            detail = f"The body did not arrive within {limits.timeout:g} seconds for each {limits.max_size} bytes."
            raise Problem(408, detail, headers={"Connection": "close"}) from None
        return parser.validate(value, errors)

    async def _chunks(self, request: Request, limit: int, deadline: asyncio.Timeout) -> AsyncIterator[bytes]:
        size = 0
        has_more = True
        size_at_deadline = self.limits.max_size
        while has_more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            if size > size_at_deadline and (end := deadline.when()):
                # The minimum speed is the same for all bodies, so a large upload gets more time as it arrives.
                deadline.reschedule(end + self.limits.timeout)
                size_at_deadline += self.limits.max_size
            has_more = message.get("more_body", False)
            yield chunk


class _MediaTypeParser:
    """Parses and validates bodies of one media type."""

    def __init__(
        self, name: str, content: dict[str, Any], representation: Any, marshmallow_schemas: MarshmallowSchemas
    ) -> None:
        self.schema = content.get("schema", True)
        self.response_properties = _response_properties(self.schema, representation, marshmallow_schemas.schemas)
        self.marshmallow_schemas = marshmallow_schemas
        self.deserialize = marshmallow_schemas.deserializer(self.schema)
        self.parse: Parse
        schemas = marshmallow_schemas.schemas
        schema = self.schema
        self.is_form = False
        self.files_size = 0
        if name == "application/json" or name.endswith("+json"):
            self.parse = _json
        elif name in ("multipart/form-data", "application/x-www-form-urlencoded"):
            form = FormParser(self.schema, content.get("encoding", {}), schemas)
            self.parse = form.parse_multipart if name.startswith("multipart") else form.parse_urlencoded
            schema = form.schema
            self.is_form = True
            self.files_size = form.files_size
        elif name == "text/csv":
            self.parse = partial(_csv, CsvParser(self.schema, schemas))
        else:
            raise error_at(content, f"a body of {name} cannot be parsed; use JSON, a form or text/csv.")
        self.validator = schemas.validator(schema, "request")

    def validate(self, value: Any, errors: list[ErrorDetail]) -> Any:
        """Return *value* as Python values, or None after adding its errors to *errors*."""
        data = without_files(value) if self.is_form else value
        if not self.validator.is_valid(data):
            errors += [self._body_error(*error) for error in self.validator.errors(data)]
            return None
        if self.deserialize is None:
            return value
        try:
            return self.deserialize(value)
        except ValidationError:
            conversion_errors = self.marshmallow_schemas.conversion_errors(self.schema, value)
            errors += [body_error(where, detail, "range") for where, detail in conversion_errors]
            return None

    def _body_error(self, place: str, detail: str, code: str) -> ErrorDetail:
        if code == "additionalProperties" and place in self.response_properties:
            return body_error(place, self.response_properties[place], code)
        return body_error(place, detail, code)


def _response_properties(body: Any, representation: Any, schemas: JsonSchemas) -> dict[str, str]:
    """Return what a client is told of the properties that the response has and the body has not, by their pointers."""
    accepted = schemas.merge(body).get("properties", {})
    details: dict[str, str] = {}
    for name in schemas.merge(representation).get("properties", {}):
        reference = f"{name}_id"
        details[pointer([name])] = (
            f"This property is read-only in this operation. Send the `id` in it as `{reference}` instead."
            if reference in accepted
            else "This property is read-only in this operation. Leave it out."
        )
    return details


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body may have at most {limit} bytes.", headers={"Connection": "close"})


async def _json(request: Request, chunks: AsyncIterator[bytes]) -> Any:
    raw = b"".join([chunk async for chunk in chunks])
    request.raw_body = raw
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    if raw.count(b"[") + raw.count(b"{") > _MAX_DEPTH:
        _refuse_depth(value)
    return value


async def _csv(parser: CsvParser, request: Request, chunks: AsyncIterator[bytes]) -> Any:
    raw = b"".join([chunk async for chunk in chunks])
    request.raw_body = raw
    options = parse_options_header(request.headers[b"content-type"].decode("latin-1"))[1]
    if options.get("charset", "utf-8").lower() != "utf-8" or options.get("header", "present") != "present":
        raise Problem(415, "CSV must be in UTF-8 and have a header row.")
    return parser.parse(raw)


def _refuse_depth(value: Any) -> None:
    """Raise a 400 Problem if *value* is nested too deep to be rendered."""
    pending = [(0, value)]
    while pending:
        depth, node = pending.pop()
        if depth > _MAX_DEPTH:
            raise Problem(400, f"The body is nested deeper than {_MAX_DEPTH} levels.")
        match node:
            case dict():
                pending += [(depth + 1, inner) for inner in node.values()]
            case list():
                pending += [(depth + 1, inner) for inner in node]
