"""Idempotency: a retry with the same `Idempotency-Key` has no second effect, and gets the first response again."""

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.problems import Problem
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


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

    A key is bound to the caller, the operation, and the fingerprint of path, query and body. Its use for another
    request is a 422. A request that fails stores no key.

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
            key = request.headers.get(b"idempotency-key")
            if key is None:
                return handle(request, session)
            key_scope = {
                "caller": str(request.caller.id) if request.caller else "",
                "operation": operation.id,
                "key": key.decode("latin-1"),
            }
            fingerprint = _fingerprint(request)
            stored = store.claim(session, **key_scope, fingerprint=fingerprint)
            if stored is None:
                response = handle(request, session)
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
                body = b"" if shows_once else response.body
                store.save(session, **key_scope, status=response.status, headers=headers, body=body)
                return response
            if stored.fingerprint != fingerprint:
                raise Problem(422, "This Idempotency-Key was used for another request. Use a new key.")
            if shows_once:
                location = dict(stored.headers).get("location")
                place = f" The created resource is at {location}." if location else ""
                raise Problem(409, f"This request was completed before, and its secret is shown only once.{place}")
            raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stored.headers]
            return Response(stored.status, stored.body, [*raw_headers, (b"idempotency-replayed", b"true")])

        return handle_once


def _shows_once(operation: "Operation") -> bool:
    schemas = operation.marshmallow_schemas.schemas
    members = schemas.merge(operation.success.schema).get("properties", {})
    return any(schemas.merge(member).get("x-shown-once") for member in members.values())


def _fingerprint(request: Request) -> str:
    digest = blake2b(digest_size=16)
    for part in (request.scope["path"].encode(), request.scope["query_string"], request.raw_body):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()
