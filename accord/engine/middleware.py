"""The ASGI middleware that serves the contract: find the operation, parse, run, send."""

import logging
from typing import Any, BinaryIO

from connexion.middleware.abstract import SpecMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine import problems
from accord.engine.context import context_of
from accord.engine.contract import Contract
from accord.engine.headers import NO_STORE
from accord.engine.operation import Operation
from accord.engine.policies import Mode
from accord.engine.policies.conditional_requests import not_modified
from accord.engine.problems import ContractViolation, Problem
from accord.engine.renderers.files import ByteRange
from accord.engine.renderers.response import Response
from accord.engine.request import ClientDisconnect, Request
from accord.engine.routing import PathItem

log = logging.getLogger(__name__)


class ContractMiddleware(SpecMiddleware):
    """Serves every operation of a compiled contract, and its documents; passes on what is not in it."""

    def __init__(self, app: ASGIApp | None, *, contract: Contract) -> None:
        """*app* serves every other path; without it they are a 404."""
        self.app = app
        self.contract = contract
        self._router = contract.router
        self._published = contract.published
        self._database = contract.database
        self._response_cache = contract.response_cache
        self._enforce_sunset = contract.enforce_sunset

    def add_api(self, specification: Any, **_: Any) -> None:
        """Connexion hands every API over here, at its first request; contracts are compiled long before that."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if self.app:
                await self.app(scope, receive, send)
            return
        path, values = self._router.find(scope)
        if path is None and scope["path"] not in self._published and self.app:
            await self.app(scope, receive, send)
            return
        method: str = scope["method"]
        operation = path.operations.get(method) if path else None
        context = context_of(scope)
        context.resolved_path = scope["path"]
        context.route = path.template if path else None
        context.operation_id = operation.id if operation else None
        request = Request(scope, receive, values)
        file: BinaryIO | None = None
        try:
            if operation:
                answer = await self._handle(operation, request)
                answer.headers = answer.headers + operation.cache_control.headers(request.caller)
                if answer.byte_range and method != "HEAD":
                    file = answer.byte_range.open()
            else:
                answer = self._respond_without_operation(path, scope, request)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # Whatever it is, the caller gets an answer, and the log the reason.
            answer = self._respond_to_error(error, operation, request)
        answer.headers = answer.headers + request.rate_limit_headers
        if operation and operation.is_deprecated:
            answer.headers = answer.headers + operation.deprecation.headers(values)
        if file and answer.byte_range:
            with file:
                await send(_response_start(answer))
                await _send_file(file, answer.byte_range, send)
        else:
            await send(_response_start(answer))
            await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})

    async def _handle(self, operation: Operation, request: Request) -> Response:
        if self._enforce_sunset and operation.deprecation.is_past_sunset():
            raise Problem(410, "This operation is past its sunset; the successor is in `Link`.")
        try:
            await operation.parse_request(request)
            if self._response_cache and operation.cache_control.uses_server_cache:
                return await self._response_cache.get_or_render(operation, request, self._database)
            if operation.needs_session:
                return await self._database.run(_mode(operation, request), operation.handle, request)
            return operation.handle(request, None)
        finally:
            request.close()
            if request.caller:
                request.context.caller_id = request.caller.id

    def _respond_without_operation(self, path: PathItem | None, scope: Scope, request: Request) -> Response:
        method, published = scope["method"], self._published.get(scope["path"])
        if not path and not published:
            raise Problem(404, "There is nothing at this path.")
        allow = path.allow if path else "GET, HEAD, OPTIONS"
        if published and method in ("GET", "HEAD"):
            return not_modified(request, published)
        if method == "OPTIONS":
            return Response(204, b"", [(b"allow", allow.encode()), *NO_STORE])
        raise Problem(405, f"{method} is no operation of this path.", headers={"Allow": allow})

    def _respond_to_error(self, error: Exception, operation: Operation | None, request: Request) -> Response:
        name = operation.id if operation else request.scope["path"]
        problem = self.contract.exception_handlers.to_problem(error)
        if problem is None:
            said = str(error) if isinstance(error, ContractViolation) else "an error nobody expected"
            log.error("%s failed: %s", name, said, exc_info=error)
        elif operation and not operation.declares_status(problem.status):
            log.error("%s failed: %s is not declared.", name, problem.status, exc_info=error)
            problem = None
        if problem is None:
            problem = Problem(500, "The service failed, and nothing was changed. The log has it under the request id.")
        status, headers, body = problems.response(problem, request.context, request.headers.get(b"accept"))
        return Response(status, body, headers)


async def _send_file(file: BinaryIO, part: ByteRange, send: Send) -> None:
    async for chunk in part.chunks(file):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _response_start(answer: Response) -> Message:
    headers = answer.headers
    if answer.status not in (204, 304):
        length = answer.byte_range.end - answer.byte_range.start if answer.byte_range else len(answer.body)
        headers = [*headers, (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _mode(operation: Operation, request: Request) -> Mode:
    if operation.is_safe:
        return "read"
    return "guarded" if operation.accepts_if_match and b"if-match" in request.headers else "write"
