"""
What an operation does beyond its handler, because its contract declares it.

There are two rings. Policies *inside* the unit of work are synchronous and wrap the handler: conditional requests,
sparse fieldsets, content negotiation, range requests, idempotency, audit. Such a policy is a function of a compiled
operation and of what the operation does. It returns what the operation shall do instead, or None if the contract of
the operation does not ask for the policy: an operation pays only for what it declares.

Policies *around* the unit of work are asynchronous or look at headers only, and have no session: rate limits, the
response cache, cache control, deprecation. `ContractMiddleware` and `Operation.read` call them by name.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from accord.engine.renderers.response import Response
from accord.engine.request import Request

Handle = Callable[[Request, Any], Response]
"""What an operation does with a request and the session of its unit of work."""

Mode = Literal["read", "write", "guarded"]


class Database(Protocol):
    """Where operations meet the database: a unit of work, which returning commits and raising rolls back.

    The mode is `read`, `write`, or `guarded`: a write that sees one state of the database from
    its beginning to its end, and fails or is repeated when another was faster.
    """

    async def run(self, mode: Mode, handle: Handle, request: Request) -> Response: ...
