"""
Policies: what an operation does beyond its handler, because its contract declares it.

There are two rings. Policies *inside* the unit of work are synchronous and wrap the handler: conditional requests,
sparse fieldsets, content negotiation, range requests, idempotency, audit. Such a policy is a function that takes a
compiled operation and its `Handle`. It returns another `Handle` that wraps the first one, or None if the contract of
the operation does not ask for the policy. An operation pays only for the policies that it declares.

Policies *around* the unit of work have no session: rate limits, the response cache, cache control, deprecation.
`ContractMiddleware` and `Operation.parse_request` call them by name, and not from a list with one protocol, because
each acts at a point of its own: deprecation before authentication and on every response, rate limits between
authentication and parsing and on every response, the response cache in place of the unit of work, and cache control on
responses that are not problems.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from accord.engine.renderers.response import Response
from accord.engine.request import Request

Handle = Callable[[Request, Any], Response]
"""Returns the response of an operation to a request, in the session of a unit of work."""

Mode = Literal["read", "write", "repeatable_read"]


class Database(Protocol):
    """
    Runs units of work: a return commits, an exception rolls back.

    The mode is `read`, `write`, or `repeatable_read`. The last one is a write that sees one state of the database from
    its beginning to its end. It fails or is repeated if another transaction changes that state first.
    """

    async def run(self, mode: Mode, handle: Handle, request: Request) -> Response: ...
