"""A request and what came of it, for those who stand around the contract and watch."""

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from contract.problems import Problem
    from contract.request import Request

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class Exchange:
    """
    One request and its answer.

    Who is first to see the request puts it into the scope, as `exchange`; who answers, says here
    what. `request` is what the contract made of the request, None where it is about a page, and
    `problem` what the request was refused with. `identity` is the caller's own X-Request-Id where
    it is one, otherwise a new one.
    """

    __slots__ = ("identity", "problem", "request", "scope", "size", "started", "status")

    def __init__(self, scope: dict[str, Any]) -> None:
        self.started = perf_counter()
        self.scope = scope
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        self.identity = given.decode() if given and _REQUEST_ID.fullmatch(given) else str(uuid4())
        self.request: Request | None = None
        self.problem: Problem | None = None
        self.status = 0
        """Of the answer; 0 while there is none."""
        self.size = 0
        """Bytes of the answer's body that were sent so far."""


def exchange(scope: dict[str, Any]) -> Exchange:
    """Return the exchange that *scope* belongs to; it begins now where nobody stands around the contract."""
    found: Exchange | None = scope.get("exchange")
    if found is None:
        found = scope["exchange"] = Exchange(scope)
    return found
