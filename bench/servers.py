"""The servers of the benchmark, Accord and its peers: start, requests and processor time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

import jwt
import psutil

from bench import install
from bench.databases import ADMIN, Database, cpu_seconds, free_port
from tests.support.server import GENEROUS

POOL_SIZE = 10
"""Number of database connections, and of threads for peers that need them."""

DatabaseKind = Literal["postgresql", "sqlite"]

_SECRET = "known to the runner and to the peers"
_SCOPE = "catalogue:write"
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Peer:
    """A program that serves the four requests. Its command contains placeholders such as {port}."""

    name: str
    title: str
    command: tuple[str, ...]
    packages: tuple[str, ...] = ()
    database: DatabaseKind = "postgresql"
    prefix: str = ""
    health: str = "/health"
    has_log_in: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


def _uvicorn(module: str) -> tuple[str, ...]:
    return (
        "{python}",
        "-m",
        "uvicorn",
        f"{module}:app",
        "--port",
        "{port}",
        "--no-access-log",
        "--log-level",
        "warning",
    )


_GUNICORN = ("{python}", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--threads",
             "{pool_size}", "--keep-alive", "60", "--log-level", "warning", "flask_smorest_threads:app")  # fmt: skip


def _accord(name: str, title: str, database: DatabaseKind, **settings: str) -> Peer:
    command = (sys.executable, "main.py", "serve", "--workers", "1", "--port", "{port}")
    return Peer(name, title, command, (), database, "/api/v1", "/health/live", has_log_in=True, settings=settings)


ACCORD = _accord("accord", "**Accord**", "postgresql")
ACCORD_SQLITE = _accord("accord-sqlite", "**Accord**", "sqlite")
LIMIT = Peer("limit", "Bare ASGI, SQL by hand", _uvicorn("bare_asgi"), ("asyncpg", "orjson", "uvicorn"))
FASTAPI = Peer("fastapi", "FastAPI, async SQLAlchemy", _uvicorn("fastapi_async"), ("fastapi", "pydantic", "sqlalchemy"))
FASTAPI_SQLITE = Peer(
    "fastapi-sqlite", "FastAPI, SQLAlchemy", _uvicorn("fastapi_sync"), ("fastapi", "sqlalchemy"), database="sqlite"
)
PEERS = (
    ACCORD,
    _accord("accord-uncached", "Accord, without the response cache", "postgresql", ACCORD_RESPONSE_CACHE_SIZE="0"),
    FASTAPI,
    Peer("litestar", "Litestar, msgspec", _uvicorn("litestar_async"), ("litestar", "msgspec", "advanced-alchemy")),
    Peer("flask-smorest", "flask-smorest, gunicorn", _GUNICORN, ("flask-smorest", "marshmallow", "gunicorn")),
    Peer("connexion", "Connexion FlaskApp", _uvicorn("connexion_flask"), ("connexion", "flask", "psycopg")),
    Peer("fastify", "Fastify, pg", ("{node}", str(install.FASTIFY / "server.js")), ("fastify", "pg")),
    LIMIT,
    ACCORD_SQLITE,
    _accord("accord-sqlite-uncached", "Accord, without the response cache", "sqlite", ACCORD_RESPONSE_CACHE_SIZE="0"),
    FASTAPI_SQLITE,
)


class WrongResponse(Exception):
    """A server does not respond as all of them must."""


@dataclass
class Server:
    """A peer that runs in one worker process, on the processor that only the servers use."""

    peer: Peer
    database: Database
    port: int
    process: psutil.Popen
    token: str = field(default="", repr=False)

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the server and its child processes so far, in seconds."""
        return cpu_seconds(self.process)

    def ask(self, method: str, path: str, *, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON content of the response."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()


@contextmanager
def serving(peer: Peer, database: Database, folder: Path, interpreters: dict[str, str], cpu: int) -> Iterator[Server]:
    """Yield the server when it is healthy. Its output is in a file in the folder."""
    port = free_port()
    command = [word.format(port=port, pool_size=POOL_SIZE, **interpreters) for word in peer.command]
    environment = os.environ | {
        "PYTHONPATH": f"{install.PEERS}{os.pathsep}{install.ROOT}",
        "NODE_ENV": "production",
        "BENCH_DATABASE_URL": database.url,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": _SECRET,
        "BENCH_SCOPE": _SCOPE,
        "ACCORD_DATABASE_URL": database.url,
        "ACCORD_RATE_LIMITS": json.dumps(GENEROUS),
        "ACCORD_DATABASE_POOL_SIZE": str(POOL_SIZE),
        "ACCORD_DATA_DIR": str(folder / f"{peer.name}-data"),
        **peer.settings,
    }
    log = folder / f"{peer.name}.log"
    with log.open("wb") as output:
        process = psutil.Popen(
            command,
            cwd=install.ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
        )
    try:
        server = Server(peer, database, port, process)
        _wait_until_healthy(server, log)
        server.token = _log_in(server) if peer.has_log_in else _signed_token()
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_healthy(server: Server, log: Path) -> None:
    latest = time.monotonic() + _TIMEOUT
    while time.monotonic() < latest and server.process.poll() is None:
        try:
            if server.ask("GET", server.peer.health)[0] == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
    raise WrongResponse(f"{server.peer.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _log_in(server: Server) -> str:
    status, content = server.ask("POST", f"{server.peer.prefix}/auth/login", body=ADMIN)
    if status not in (200, 201):
        raise WrongResponse(f"{server.peer.name}: the log-in failed: {status} {content}")
    return str(content["access_token"])


def _signed_token() -> str:
    moment = int(time.time())
    return jwt.encode({"sub": ADMIN["username"], "scope": _SCOPE, "iat": moment, "exp": moment + 24 * 3600}, _SECRET)
