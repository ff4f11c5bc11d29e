"""Responses: renders the result of a handler as a declared response, and validates it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson

from accord.contract.errors import error_at
from accord.contract.json_schemas import JsonSchemas
from accord.engine.headers import RawHeaders
from accord.engine.problems import ContractViolation
from accord.engine.renderers import files
from accord.engine.renderers.serializer import MAX_SCOPE_SETS, Scopes, Serialize, Serializers

ENCODINGS = "accord.encodings"
"""The key of `Response.encodings` in the message with the body, for the middleware that compresses it."""


_ERRORS = (KeyError, AttributeError, TypeError, ValueError)
"""The errors of serializers for a result that does not match the schema."""


class Encodings(Protocol):
    """The encoded bodies of a stored response, by content coding. A dict is one, without a bound."""

    def get(self, coding: bytes, /) -> bytes | None: ...
    def setdefault(self, coding: bytes, body: bytes, /) -> bytes: ...


class Response:
    """
    The response that is sent.

    `data` is the JSON value of `body`, if there is one. `byte_range` is sent instead of `body` for a file, and `etag`
    identifies the content of the file. `modified_at` is the time of the last change: of a file, or the property
    `updated_at` of a JSON object. It is the exact time, which `Last-Modified` is not. `encodings` has the encoded
    bodies of a stored response, so that each is compressed once.
    """

    __slots__ = ("body", "byte_range", "data", "encodings", "etag", "headers", "modified_at", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        headers: RawHeaders | None = None,
        data: Any = None,
        byte_range: files.ByteRange | None = None,
        etag: str | None = None,
        modified_at: datetime | None = None,
        encodings: Encodings | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers if headers is not None else []
        self.data = data
        self.byte_range = byte_range
        self.etag = etag
        self.modified_at = modified_at
        self.encodings = encodings


class ResponseDefinition:
    """A Response Object of an operation: renders results of the handler, and validates them."""

    def __init__(
        self,
        operation: str,
        status: int,
        spec: dict[str, Any],
        schemas: JsonSchemas,
        depends_on: Sequence[str] = (),
    ) -> None:
        """Prepare the response. *depends_on* has further headers of requests on which it depends, for `Vary`."""
        self.label = f"{operation} {status}"
        self.status = status
        self.contents = spec.get("content", {})
        contents = self.contents
        self.media_types = list(contents)
        self.is_file = bool(contents) and not any(_is_text(name) for name in contents)
        """Whether its media types are those of files, so that the handler returns a `FileContent`."""
        self.media_type: str | None = next(iter(contents), None)
        self.schema = first_schema(spec)
        self.headers = schemas.document.response_headers(spec)
        self.required_headers = [
            name.encode()
            for name, header in self.headers.items()
            if header.get("required") and name not in schemas.document.common_headers
        ]
        self.is_json = self.media_type is not None and self.media_type.endswith("json")
        self._validator = schemas.validator(self.schema, "response") if self.is_json else None
        self._vary = self._vary_header(schemas, depends_on)
        self._base_headers = [(b"content-type", (self.media_type or "").encode()), *self._vary]
        self._serializers: Serializers | None = None
        self._serializer_for: dict[tuple[Scopes, str, bool], Serialize | None] = {}
        self._location: Callable[[Any], str] | None = None
        self._spec = spec
        self._has_location = status < 300 and "location" in self.headers
        # An optional `Link` is the one of deprecated operations, which `Deprecation` adds.
        self._has_link = bool(self.headers.get("link", {}).get("required"))
        from_data = {b"location": self._has_location, b"link": self._has_link} if self.is_json else {}
        self.certain_headers = {name for name, is_rendered in from_data.items() if is_rendered}
        """The declared headers that every response has, because the engine renders them or a policy adds them."""

    def compile(self, serializers: Serializers) -> None:
        """Prepare serialization, when all links are known. Raises ContractError for `Location` without a link."""
        self._serializers = serializers
        self._location = serializers.location(self.schema) if self._has_location else None
        if self._has_location and self._location is None:
            raise error_at(
                self._spec, f"{self.label} has Location, which needs a link `self` to a GET; declare that link."
            )

    def render(self, result: Any, scopes: Scopes = None, root_path: str = "") -> Response:
        """
        Return the response with *result*, the result of the handler, for a caller with *scopes*.

        *root_path* precedes the paths of its links.

        Raises ContractViolation if the result does not match the contract.
        """
        if self.media_type is None:
            if result is not None:
                raise ContractViolation(
                    f"{self.label} has no content, but the handler returned {type(result).__name__}."
                )
            return Response(self.status)
        if self.is_file:
            return self._from_file(result)
        if not self.is_json:
            body = result if isinstance(result, bytes) else str(result).encode()
            return Response(self.status, body, [*self._base_headers])
        serialize = self._serializer(scopes, root_path, has_assertions=True)
        if serialize:
            try:
                data = serialize(result)
                body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
            except _ERRORS:
                # The result is invalid, or only the validator can tell that it is valid.
                pass
            else:
                return self._with_headers(data, body, root_path)
        serialize = self._serializer(scopes, root_path, has_assertions=False)
        try:
            data = serialize(result) if serialize else result
        except _ERRORS as error:
            reason = f"{type(error).__name__}: {error}"
            raise ContractViolation(
                f"{self.label}: the handler did not return what the schema requires ({reason})."
            ) from error
        return self.from_data(data, root_path)

    def _serializer(self, scopes: Scopes, root_path: str, *, has_assertions: bool) -> Serialize | None:
        """Return the serializer for callers with *scopes*, which asserts that its result is valid, or does not."""
        cached = self._serializer_for
        key = scopes, root_path, has_assertions
        if key not in cached:
            if len(cached) >= MAX_SCOPE_SETS:
                # The dictionary is replaced and not cleared, because other threads may be reading it.
                cached = {}
                self._serializer_for = cached
            cached[key] = self._serializers.for_schema(self.schema, *key) if self._serializers else None
        return cached[key]

    def from_data(self, data: Any, root_path: str = "") -> Response:
        """Return the response with the JSON value *data*, and with *root_path* before its `Location`.

        Raises ContractViolation if it is invalid.
        """
        try:
            body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
        except TypeError as error:
            raise ContractViolation(f"{self.label}: {error}.") from error
        self.check(body)
        return self._with_headers(data, body, root_path)

    def _with_headers(self, data: Any, body: bytes, root_path: str) -> Response:
        headers = [*self._base_headers]
        if self._location:
            headers.append((b"location", (root_path + self._location(data)).encode("latin-1")))
        if self._has_link:
            links = ", ".join(f'<{link["href"]}>; rel="{name}"' for name, link in data["_links"].items())
            headers.append((b"link", links.encode("latin-1")))
        updated_at = data.get("updated_at") if isinstance(data, dict) else None
        # A property of this name can be anything else, such as a text or a time without a zone.
        is_time = isinstance(updated_at, datetime) and updated_at.tzinfo is not None
        return Response(self.status, body, headers, data, modified_at=updated_at if is_time else None)

    def _vary_header(self, schemas: JsonSchemas, depends_on: Sequence[str]) -> RawHeaders:
        """
        Return the header `Vary`, or nothing. `Accept-Encoding` in it allows compression.

        Responses with secrets are not compressed, because their compressed length reveals the secret if an attacker
        controls other parts of the response (BREACH).
        """
        names = ["Accept"] if len(self.contents) > 1 and not self.is_file else []
        if self.contents and not self.is_file and not schemas.contains_secret(self.schema):
            names.append("Accept-Encoding")
        names += [name for name in depends_on if name not in names]
        return [(b"vary", ", ".join(names).encode())] if names else []

    def _from_file(self, result: files.FileContent) -> Response:
        if result.media_type not in self.media_types:
            raise ContractViolation(
                f"{self.label} declares {', '.join(self.media_types)}, but the file is {result.media_type}."
            )
        return Response(
            self.status,
            headers=[*files.headers(result), *self._vary],
            byte_range=files.whole_file(result),
            etag=result.etag,
            modified_at=result.modified_at,
        )

    def check(self, body: bytes) -> None:
        """Raise ContractViolation unless *body* is valid.

        The bytes are validated and not the object, because the bytes are sent, and a NaN is visible in them only.
        """
        validator = self._validator
        if validator is not None and not validator.is_valid(orjson.loads(body)):
            raise ContractViolation(f"{self.label}: {validator.errors(orjson.loads(body), 5)}")

    def check_headers(self, response: Response) -> None:
        """Raise ContractViolation if a header that the contract requires is missing."""
        present = {name for name, _ in response.headers}
        for name in self.required_headers:
            if name not in present:
                raise ContractViolation(f"{self.label}: the required header {name.decode()} is missing.")


def first_schema(response: dict[str, Any]) -> Any:
    """Return the schema of the first media type of a Response Object; True if it has none."""
    first: dict[str, Any] = next(iter(response.get("content", {}).values()), {})
    return first.get("schema", True)


def _is_text(media_type: str) -> bool:
    """Return whether the engine renders this media type. Responses of other media types are files."""
    return media_type.startswith("text/") or media_type.endswith(("json", "xml", "yaml"))
