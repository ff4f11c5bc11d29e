"""
The ASGI middleware that serves the contract: routes a request, runs its operation, sends the response.

The other ASGI middleware is in `accord/middleware/`.
"""

import logging
from typing import BinaryIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.engine import problems
from accord.engine.contract import Contract
from accord.engine.headers import NO_STORE, RawHeaders
from accord.engine.operation import Operation
from accord.engine.policies import Mode
from accord.engine.policies.conditional_requests import PRECONDITIONS, select
from accord.engine.problems import ContractViolation, Problem
from accord.engine.renderers.files import ByteRange
from accord.engine.renderers.response import ENCODINGS, Response
from accord.engine.request import ClientDisconnect, Request
from accord.engine.routing import PathItem

log = logging.getLogger(__name__)


class ContractMiddleware:
    """Serves the operations and the documents of a compiled contract. Other requests go to the inner application."""

    def __init__(self, app: ASGIApp | None, *, contract: Contract) -> None:
        """*app* serves all other paths. Without it they are a 404."""
        self.app = app
        self.contract = contract
        self._router = contract.router
        self._published_documents = contract.published_documents
        self._database = contract.database
        self._response_cache = contract.response_cache
        self._enforce_sunset = contract.enforce_sunset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if self.app:
                await self.app(scope, receive, send)
            return
        path_item, values = self._router.find(scope)
        if path_item is None and scope["path"] not in self._published_documents and self.app:
            await self.app(_with_root_path(scope), receive, send)
            return
        method: str = scope["method"]
        operation: Operation | None = path_item.operations.get(method) if path_item else None
        request = Request(scope, receive, values)
        context = request.context
        context.is_in_contract = True
        context.route = path_item.template if path_item else None
        cache_headers: RawHeaders = []
        file: BinaryIO | None = None
        try:
            if operation:
                context.operation_id = operation.id
                response = await self._handle(operation, request)
                if response.byte_range and method != "HEAD":
                    file = response.byte_range.open()
                cache_headers = operation.cache_control.headers(request.caller)
            else:
                response = self._respond_without_operation(path_item, request)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # Every error has a response, and the log has the cause.
            response = self._respond_to_error(error, operation, request)
        headers = [*response.headers, *cache_headers, *request.rate_limit_headers, *_size_header(response)]
        if operation and operation.is_deprecated:
            headers += operation.deprecation.headers(values, context.root_path)
        start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
        if file and response.byte_range:
            with file:
                await send(start)
                await _send_file(file, response.byte_range, send)
        else:
            await send(start)
            body = b"" if method == "HEAD" else response.body
            await send({"type": "http.response.body", "body": body, ENCODINGS: response.encodings})

    async def _handle(self, operation: Operation, request: Request) -> Response:
        if self._enforce_sunset and operation.deprecation.is_past_sunset():
            raise Problem(410, "This operation is past its sunset; the successor is in `Link`.")
        try:
            await operation.parse_request(request)
            if request.media_type and request.media_type.location:
                location = request.context.root_path.encode() + request.media_type.location
                return Response(303, headers=[(b"location", location), problems.VARY])
            if self._response_cache and operation.cache_control.uses_server_cache:
                return await self._response_cache.get_or_render(operation, request, self._database)
            if operation.needs_session:
                return await self._database.run(_mode(operation, request), operation.handle, request)
            return operation.handle(request, None)
        finally:
            if request.files:
                request.close()
            if request.caller:
                request.context.caller_id = request.caller.id

    def _respond_without_operation(self, path_item: PathItem | None, request: Request) -> Response:
        method = request.scope["method"]
        document = self._published_documents.get(request.scope["path"])
        if not path_item and not document:
            raise Problem(404, "There is nothing at this path.")
        allow = path_item.allow if path_item else "GET, HEAD, OPTIONS"
        if document and method in ("GET", "HEAD"):
            return select(request, document(request.context.root_path))
        if method == "OPTIONS":
            return Response(204, b"", [(b"allow", allow.encode()), *NO_STORE])
        raise Problem(405, f"This path has no {method} operation.", headers={"Allow": allow})

    def _respond_to_error(self, error: Exception, operation: Operation | None, request: Request) -> Response:
        name = operation.id if operation else request.scope["path"]
        problem = self.contract.exception_handlers.to_problem(error)
        if problem is None:
            reason = str(error) if isinstance(error, ContractViolation) else f"unexpected {type(error).__name__}"
            log.error("%s failed: %s", name, reason, exc_info=error)
        elif operation and not operation.declares_status(problem.status):
            log.error("%s failed: the status %s is not declared.", name, problem.status, exc_info=error)
            problem = None
        if problem is None:
            problem = Problem(
                500, "The service failed. The failure is logged under the request id; nothing was changed."
            )
        status, headers, body = problems.response(problem, request.context, request.headers.get(b"accept"))
        return Response(status, body, headers)


def _with_root_path(scope: Scope) -> Scope:
    """Return the scope with the root path in its paths, as ASGI has it and the inner application expects it."""
    root_path = scope.get("root_path")
    if not root_path:
        return scope
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return {**scope, "path": root_path + scope["path"], "raw_path": root_path.encode() + raw}


def _size_header(response: Response) -> RawHeaders:
    if response.status in (204, 304):
        return []
    byte_range = response.byte_range
    length = byte_range.end - byte_range.start if byte_range else len(response.body)
    return [(b"content-length", b"%d" % length)]


async def _send_file(file: BinaryIO, byte_range: ByteRange, send: Send) -> None:
    async for chunk in byte_range.chunks(file):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _mode(operation: Operation, request: Request) -> Mode:
    if operation.is_safe:
        return "read"
    is_conditional = operation.takes_preconditions and not PRECONDITIONS.isdisjoint(request.headers)
    return "repeatable_read" if is_conditional else "write"
