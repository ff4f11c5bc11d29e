"""A request repeated with the same `Idempotency-Key` has its effect once, and gets the first answer again."""

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
    """An answer as it was stored."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def body(self) -> bytes: ...


class IdempotencyStore(Protocol):
    """Where answers are kept, in the very unit of work that has the effect; main gives one."""

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
    `Idempotency-Key` parameter.

    A key is bound to the caller, the operation and the fingerprint of path, query and
    body; with another request it is a 422. A failure keeps no key.

    An answer with a member that is `x-shown-once` is not kept: the key is, and a repetition is a
    409 that says where the thing is that was made.
    """

    def __init__(self, store: IdempotencyStore | None) -> None:
        self.store = store

    def __call__(self, operation: "Operation", perform: Handle) -> Handle | None:
        store = self.store
        if not operation.has_header("idempotency-key"):
            return None
        if store is None:
            raise error_at(
                operation.spec, f"{operation.id} takes Idempotency-Key; give Contract a store that keeps answers."
            )
        shows_once = _shows_once(operation)
        if shows_once and not operation.declares_status(409):
            raise error_at(
                operation.spec, f"{operation.id} repeats no secret, but answers 409; declare what that answer is."
            )

        def perform_once(request: Request, session: Any) -> Response:
            key = request.headers.get(b"idempotency-key")
            if key is None:
                return perform(request, session)
            whose = {
                "caller": str(request.caller.id) if request.caller else "",
                "operation": operation.id,
                "key": key.decode("latin-1"),
            }
            fingerprint = _fingerprint(request)
            kept = store.claim(session, **whose, fingerprint=fingerprint)
            if kept is None:
                answer = perform(request, session)
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]
                body = b"" if shows_once else answer.body
                store.save(session, **whose, status=answer.status, headers=headers, body=body)
                return answer
            if kept.fingerprint != fingerprint:
                raise Problem(422, "This Idempotency-Key was used for another request. Take a new key.")
            if shows_once:
                where = dict(kept.headers).get("location", "where it belongs")
                raise Problem(409, f"This was done before, and its secret shown. What was made is at {where}.")
            stored = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers]
            return Response(kept.status, kept.body, [*stored, (b"idempotency-replayed", b"true")])

        return perform_once


def _shows_once(operation: "Operation") -> bool:
    schemas = operation.marshmallow_schemas.schemas
    members = schemas.merged(operation.success.schema).get("properties", {})
    return any(schemas.merged(member).get("x-shown-once") for member in members.values())


def _fingerprint(request: Request) -> str:
    asked = blake2b(digest_size=16)
    for part in (request.scope["path"].encode(), request.scope["query_string"], request.raw_body):
        asked.update(b"%d:" % len(part) + part)
    return asked.hexdigest()
