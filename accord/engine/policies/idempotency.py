"""Idempotency: a retry with the same `Idempotency-Key` has no second effect, and gets the first response again."""

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.policies.conditional_requests import etag
from accord.engine.problems import Problem
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


_ROOT_PATH = ":root-path"
"""Stored beside the headers: the root path of the links in a response."""


class StoredResponse(Protocol):
    """A response in the idempotency store."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def body(self) -> bytes: ...


class IdempotencyStore(Protocol):
    """Stores responses in the unit of work of the request itself."""

    def claim(
        self, session: Any, *, caller: str, operation: str, key: str, fingerprint: str
    ) -> StoredResponse | None: ...
    def save(
        self,
        session: Any,
        *,
        caller: str,
        operation: str,
        key: str,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None: ...


class Idempotency:
    """
    The `Idempotency-Key` parameter.

    The argument is the key itself, however the header writes it. A key is bound to the caller, the operation, and the
    fingerprint of path, query and body. Its use for another request is a 422. A request that fails stores no key.

    The body of a response with a property that is `x-shown-once` is not stored. Its key is, and a retry is a 409 that
    has the location of the created resource.
    """

    def __init__(self, store: IdempotencyStore | None) -> None:
        self.store = store

    def __call__(self, operation: "Operation", handle: Handle) -> Handle | None:
        store = self.store
        if not operation.has_header("idempotency-key"):
            return None
        if store is None:
            raise error_at(operation.spec, f"{operation.id} takes Idempotency-Key; pass Contract an idempotency store.")
        shows_once = _shows_once(operation)

        def handle_once(request: Request, session: Any) -> Response:
            key = request.arguments.get("idempotency_key")
            if key is None:
                return handle(request, session)
            key_scope = {
                "caller": str(request.caller.id) if request.caller else "",
                "operation": operation.id,
                "key": key,
            }
            fingerprint = _fingerprint(request)
            stored = store.claim(session, **key_scope, fingerprint=fingerprint)
            if stored is None:
                response = handle(request, session)
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
                if request.context.root_path:
                    headers.append((_ROOT_PATH, request.context.root_path))
                body = b"" if shows_once else response.body
                store.save(session, **key_scope, status=response.status, headers=headers, body=body)
                return response
            if stored.fingerprint != fingerprint:
                raise Problem(422, "This Idempotency-Key was used for another request. Use a new key.")
            suffix = request.media_type.tag_suffix if request.media_type else b""
            headers, stored_body = _below(request.context.root_path, stored, suffix)
            if shows_once:
                location = dict(headers).get("location")
                place = f" The created resource is at {location}." if location else ""
                raise Problem(409, f"This request was completed before, and its secret is shown only once.{place}")
            raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            return Response(stored.status, stored_body, [*raw_headers, (b"idempotency-replayed", b"true")])

        return handle_once


def _below(root_path: str, stored: StoredResponse, tag_suffix: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """
    Return headers and body of a stored response, with links below *root_path* instead of that of its request.

    Other links are another representation, so its entity tag is computed anew, with *tag_suffix* at its end.
    """
    old = dict(stored.headers).get(_ROOT_PATH, "")
    headers = [(name, value) for name, value in stored.headers if name != _ROOT_PATH]
    if old == root_path:
        return headers, stored.body
    # The value of Location, and the values in angle brackets of Link.
    link = re.compile(rf"(?:^|(?<=<)){re.escape(old)}(?=/)")
    body = stored.body.replace(f'"href":"{old}/'.encode(), f'"href":"{root_path}/'.encode())
    for number, (name, value) in enumerate(headers):
        if name in ("location", "link"):
            headers[number] = name, link.sub(root_path, value)
        elif name == "etag":
            headers[number] = name, etag(body, tag_suffix).decode("latin-1")
    return headers, body


def _shows_once(operation: "Operation") -> bool:
    schemas = operation.marshmallow_schemas.schemas
    members = schemas.merge(operation.success.schema).get("properties", {})
    return any(schemas.merge(member).get("x-shown-once") for member in members.values())


def _fingerprint(request: Request) -> str:
    digest = blake2b(digest_size=16)
    for part in (request.scope["path"].encode(), request.scope["query_string"], request.raw_body):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()
