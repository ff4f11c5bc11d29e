"""What the tests of the engine are made of: contracts of a few lines, a store in memory, a client over raw ASGI."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import orjson
from connexion.resolver import Resolver

from accord.contract.document import Document
from accord.engine.context import RequestContext, context_of
from accord.engine.contract import Contract
from accord.engine.middleware import ContractMiddleware
from accord.engine.problems import ExceptionHandlers, Problem

Headers = dict[str, str] | list[tuple[str, str]]

PROBLEM = {"description": "It went wrong.", "content": {"application/problem+json": {"schema": {"type": "object"}}}}


class NotThere(Exception):
    """What a handler was asked for is not there."""


class Taken(Exception):
    """What a handler was asked to make is there already."""


ERRORS = ExceptionHandlers(
    {
        NotThere: 404,
        Taken: (409, lambda status, error: Problem(status, str(error), headers={"Retry-After": "2"})),
    }
)


class Memory:
    """A database over a dict: a unit of work gets a copy, and only one that returns is kept."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.modes: list[str] = []

    async def run(self, mode: str, perform: Callable[..., Any], *arguments: Any) -> Any:
        self.modes.append(mode)
        session = deepcopy(self.kept)
        returned = perform(*arguments, session)
        self.kept = session
        return returned


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    context: RequestContext

    @property
    def request_id(self) -> str:
        return self.context.request_id

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def errors(self) -> set[tuple[str, str]]:
        """Where something is wrong (pointer or parameter), and the code of it."""
        return {(error.get("pointer", error.get("parameter")), error["code"]) for error in self.json.get("errors", [])}

    def header(self, name: str) -> str | None:
        values = [value.decode("latin-1") for key, value in self.headers if key == name.lower().encode()]
        assert len(values) < 2, f"{name} stands twice"
        return values[0] if values else None


@dataclass
class Engine:
    """A contract that runs, and a client of it."""

    app: Any
    database: Memory = field(default_factory=Memory)
    address: str = "192.0.2.1"

    @property
    def contract(self) -> Contract:
        contract: Contract = self.app.contract
        return contract

    def get(self, target: str | bytes, headers: Headers | None = None) -> Reply:
        return self.send("GET", target, headers=headers)

    def post(self, target: str | bytes, json: Any, headers: Headers | None = None) -> Reply:
        return self.send("POST", target, orjson.dumps(json), headers)

    def send(
        self, method: str, target: str | bytes, body: bytes | None = None, headers: Headers | None = None,
        media_type: str | None = "application/json", chunks: Iterable[bytes] | None = None,
    ) -> Reply:  # fmt: skip
        """Send a request; *chunks* instead of *body* come one by one, without a Content-Length."""
        given = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (headers.items() if isinstance(headers, dict) else headers or ())
        ]
        if media_type is not None and (body is not None or chunks is not None):
            given.append((b"content-type", media_type.encode()))
        if body is not None:
            given.append((b"content-length", b"%d" % len(body)))
        if chunks is not None:
            given.append((b"transfer-encoding", b"chunked"))
        pieces = [body or b""] if chunks is None else list(chunks)
        messages = [
            {"type": "http.request", "body": piece, "more_body": n < len(pieces) - 1} for n, piece in enumerate(pieces)
        ]
        reply = self.raw(method, target, given, messages)
        assert reply is not None, "nothing was answered"
        return reply

    def raw(
        self, method: str, target: str | bytes, headers: list[tuple[bytes, bytes]], messages: list[dict[str, Any]]
    ) -> Reply | None:
        """Send what a server would make of it; None if nothing is answered. After *messages* the client is gone."""
        path, _, query = (target.encode() if isinstance(target, str) else target).partition(b"?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "client": (self.address, 40_000),
        }
        waiting = iter(messages)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            message = next(waiting, {"type": "http.disconnect"})
            await asyncio.sleep(message.get("after", 0))
            return message

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        if not sent:
            return None
        start, *rest = sent
        body = b"".join(part.get("body", b"") for part in rest)
        return Reply(start["status"], list(start["headers"]), body, context_of(scope))


def read(text: str, **files: str) -> Document:
    """Return the document of an index file of this *text*; *files* lie in the folder above it, dots said as `__`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"v1/openapi__yaml": text, **files}.items():
            file = Path(folder, "openapi", name.replace("__", "."))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, "utf-8")
        return Document.read(Path(folder, "openapi/v1/openapi.yaml"))


def complete(document: Document) -> Document:
    """Add to *document* what every contract must say, where it says nothing else."""
    raw = document.raw
    raw.setdefault("openapi", "3.1.0")
    raw.setdefault("info", {"title": "Small", "version": "1"})
    for item in raw.setdefault("paths", {}).values():
        for method in ("get", "put", "post", "delete", "patch", "head", "options"):
            if isinstance(item, dict) and method in item:
                if "security" not in raw:
                    item[method].setdefault("security", [])
                responses = item[method].setdefault("responses", {})
                if not any(status.startswith("2") for status in responses):
                    responses["200"] = {"description": "Fine.", "content": {"application/json": {"schema": {}}}}
                for status in ("304", "4XX", "5XX"):
                    responses.setdefault(status, {"description": "Unchanged."} if status == "304" else PROBLEM)
    return document


def start(
    source: str | dict[str, Any] | Document, functions: dict[str, Callable[..., Any]], completed: bool = True,
    **options: Any,
) -> Engine:  # fmt: skip
    """Return an engine that runs *source*, made complete unless said otherwise, with *functions* by operationId."""
    if isinstance(source, str):
        source = read(source)
    document = source if isinstance(source, Document) else Document(source)
    if completed:
        complete(document)
    database = options.setdefault("database", Memory())
    resolver = Resolver(lambda name: getattr(SimpleNamespace(**functions), name.rpartition(".")[2]))
    contract = Contract(exception_handlers=ERRORS, **{"resolver": resolver, **options})
    contract.add_document(document, "/openapi")
    return Engine(ContractMiddleware(None, contract=contract), database)


def echo(schema: Any, media_type: str = "application/json", **options: Any) -> Engine:
    """Return an engine whose POST /echo answers with the body it got, both of *schema*."""
    content = {media_type: {"schema": schema}}
    operation = {
        "operationId": "echo",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "The body.", "content": {"application/json": {"schema": schema}}}},
    }
    components = options.pop("components", {})
    raw = {"paths": {"/echo": {"post": operation}}, "components": {"schemas": components}}
    return start(raw, {"echo": lambda body: body}, **options)


def taking(schema: Any, media_type: str = "application/json", components: Any = None, **options: Any) -> Engine:
    """Return an engine whose POST /take keeps the Python value of the body, of *schema*, under `body`."""
    body = {"required": True, "content": {media_type: {"schema": schema}}}
    raw = {
        "paths": {"/take": {"post": {"operationId": "take", "requestBody": body}}},
        "components": {"schemas": components or {}},
    }

    def take(session: Any, body: Any) -> None:
        session["body"] = body

    return start(raw, {"take": take}, **options)


def asking(parameters: list[Any], names: Iterable[str] | None = None, path: str = "/ask") -> Callable[..., Any]:
    """Return a function that sends GET /ask and returns what the handler got, by name; where it refuses, the Reply."""
    raw = {"paths": {path: {"get": {"operationId": "ask", "parameters": parameters}}}}
    got: dict[str, Any] = {}

    def ask(**arguments: Any) -> None:
        got.update(arguments)

    wanted = list(names) if names is not None else [parameter["name"] for parameter in parameters]
    ask.__signature__ = Signature([Argument(name, Argument.KEYWORD_ONLY, default=None) for name in wanted])
    engine = start(raw, {"ask": ask})

    def asked(target: str | bytes, headers: Headers | None = None) -> Any:
        got.clear()
        reply = engine.get(target, headers)
        return dict(got) if reply.status == 200 else reply

    return asked


def query(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, **more}
