"""Turns what a handler returns into the answer that its contract promises."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas
from accord.engine.headers import RawHeaders
from accord.engine.problems import ContractViolation
from accord.engine.renderers import files
from accord.engine.renderers.serializer import MAX_SCOPE_SETS, Scopes, Serialize, Serializers


class Response:
    """
    What is sent.

    `made` is the representation that `body` is the JSON of, where there is one; `part` is of the
    file that is sent instead of a body, and `tag` what tells its content from any other.
    """

    __slots__ = ("body", "byte_range", "data", "etag", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        headers: RawHeaders | None = None,
        data: Any = None,
        byte_range: files.ByteRange | None = None,
        etag: str | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers if headers is not None else []
        self.data = data
        self.byte_range = byte_range
        self.etag = etag


class ResponseDefinition:
    """One declared response of an operation."""

    def __init__(
        self,
        operation: str,
        status: int,
        spec: dict[str, Any],
        schemas: JsonSchemas,
        credentials: Sequence[str] = (),
    ) -> None:
        """*credentials* are the fields whose bringer gets another answer than others, of one that may be kept."""
        self.label = f"{operation} {status}"
        self.status = status
        self.contents = spec.get("content", {})
        contents = self.contents
        self.media_types = list(contents)
        self.is_content = bool(contents) and not any(_is_text(name) for name in contents)
        """Whether its media types are those of files, of which what the handler returns is one."""
        self.media_type: str | None = next(iter(contents), None)
        self.schema: Any = contents[self.media_type].get("schema", True) if self.media_type else True
        self.headers = {
            name.lower(): schemas.document.resolve(header) for name, header in spec.get("headers", {}).items()
        }
        self.required_headers = [name.encode() for name, header in self.headers.items() if header.get("required")]
        self.is_json = self.media_type is not None and self.media_type.endswith("json")
        self._validator = schemas.validator(self.schema, "response") if self.is_json else None
        self._vary = self._varying(schemas, credentials)
        self._always = [(b"content-type", (self.media_type or "").encode()), *self._vary]
        self._serializers: Serializers | None = None
        self._serializer_for: dict[Scopes, Serialize | None] = {}
        self._location: Callable[[Any], str] | None = None
        self._spec = spec
        self._has_location = "location" in self.headers
        self._has_link = "link" in self.headers

    def compile(self, serializers: Serializers) -> None:
        """Prepare the representation; every link of the contract must be known by now."""
        self._serializers = serializers
        self._location = serializers.location(self.schema) if self._has_location else None
        if self._has_location and self._location is None:
            raise error_at(
                self._spec, f"{self.label} has Location, which is its link `self` to a GET; declare that link."
            )

    def render(self, result: Any, scopes: Scopes = None) -> Response:
        """
        Return the answer that *result*, what a handler returned, is to a caller with *scopes*.

        Raises BrokenPromise if it is none.
        """
        if self.media_type is None:
            if result is not None:
                raise ContractViolation(
                    f"{self.label} has no content, but the handler returned {type(result).__name__}."
                )
            return Response(self.status)
        if self.is_content:
            return self._from_file(result)
        if not self.is_json:
            body = result if isinstance(result, bytes) else str(result).encode()
            return Response(self.status, body, [*self._always])
        try:
            known = self._serializer_for
            if scopes not in known:
                if len(known) >= MAX_SCOPE_SETS:
                    # Not cleared, because other threads may be about to look something up in it.
                    known = {}
                    self._serializer_for = known
                known[scopes] = self._serializers.for_schema(self.schema, scopes) if self._serializers else None
            dump = known[scopes]
            made = dump(result) if dump else result
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise ContractViolation(f"{self.label}: what the handler returned lacks {error}.") from error
        return self.from_data(made)

    def from_data(self, data: Any) -> Response:
        """Return the answer whose representation is *made*; raises BrokenPromise if the contract says otherwise."""
        try:
            body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
        except TypeError as error:
            raise ContractViolation(f"{self.label}: {error}.") from error
        self.check(body)
        headers = [*self._always]
        if self._location:
            headers.append((b"location", self._location(data).encode("latin-1")))
        if self._has_link:
            links = ", ".join(f'<{link["href"]}>; rel="{name}"' for name, link in data["_links"].items())
            headers.append((b"link", links.encode("latin-1")))
        return Response(self.status, body, headers, data)

    def _varying(self, schemas: JsonSchemas, credentials: Sequence[str]) -> RawHeaders:
        """
        Return what the form of an answer depends on; with `Accept-Encoding` it says that it may be compressed.

        The length of a compressed answer tells of what stands beside a secret in it (BREACH).
        """
        names = ["Accept"] if len(self.contents) > 1 and not self.is_content else []
        if self.contents and not self.is_content and not schemas.contains_secret(self.schema):
            names.append("Accept-Encoding")
        names += credentials
        return [(b"vary", ", ".join(names).encode())] if names else []

    def _from_file(self, result: files.FileContent) -> Response:
        if result.media_type not in self.media_types:
            raise ContractViolation(f"{self.label} is {', '.join(self.media_types)}, but there is {result.media_type}.")
        return Response(
            self.status,
            headers=[*files.headers(result), *self._vary],
            byte_range=files.whole_file(result),
            etag=result.etag,
        )

    def check(self, body: bytes) -> None:
        """Raise BrokenPromise unless *body* is as the schema says.

        The bytes are checked and not the object: they are what is sent, and a NaN shows only there.
        """
        validator = self._validator
        if validator is not None and not validator.is_valid(orjson.loads(body)):
            raise ContractViolation(f"{self.label}: {validator.errors(orjson.loads(body), 5)}")

    def check_headers(self, response: Response) -> None:
        """Raise BrokenPromise if a header that the contract requires is missing."""
        present = {name for name, _ in response.headers}
        for name in self.required_headers:
            if name not in present:
                raise ContractViolation(f"{self.label}: the header {name.decode()} is promised, and nothing sets it.")


def _is_text(media_type: str) -> bool:
    """Return whether the engine writes answers of this type itself, and does not send files of it."""
    return media_type.startswith("text/") or media_type.endswith(("json", "xml", "yaml"))
