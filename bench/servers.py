"""The servers of the benchmark, Accord and its peers: start, requests and processor time."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

import jwt
import psutil

from bench import install
from bench.databases import ADMIN, ADMIN_ID, Database, cpu_seconds, free_port, memory
from bench.install import HERE, Checkout
from tests.support.server import generous_limits

POOL_SIZE = 10
"""Number of database connections, and of threads for peers that need them."""

DatabaseKind = Literal["postgresql", "sqlite"]

_SECRET = "known to the runner and to the peers"
_SCOPE, _ORDER_SCOPE = "catalogue:write", "orders"
_TIMEOUT = 30.0
_START_TIMEOUT = 120.0


@dataclass(frozen=True)
class Peer:
    """A program that serves the requests. Its command contains placeholders such as {port}."""

    name: str
    title: str
    command: tuple[str, ...]
    packages: tuple[str, ...] = ()
    database: DatabaseKind = "postgresql"
    prefix: str = ""
    health: str = "/health"
    is_accord: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    checkout: Checkout = HERE


def _uvicorn(module: str) -> tuple[str, ...]:
    return (
        "{python}",
        "-m",
        "uvicorn",
        f"{module}:app",
        "--port",
        "{port}",
        "--workers",
        "{workers}",
        "--no-access-log",
        "--log-level",
        "warning",
    )


_GUNICORN = (
    "{python}",
    "-m",
    "gunicorn",
    "--bind",
    "127.0.0.1:{port}",
    "--workers",
    "{workers}",
    "--worker-class",
    "gthread",
    "--threads",
    "{pool_size}",
    "--keep-alive",
    "60",
    "--log-level",
    "warning",
    "flask_smorest_threads:app",
)


def _accord(name: str, title: str, database: DatabaseKind, **settings: str) -> Peer:
    command = ("{checkout.python}", "main.py", "serve", "--workers", "{workers}", "--port", "{port}")
    return Peer(name, title, command, (), database, "/api/v1", "/health/live", is_accord=True, settings=settings)


ACCORD = _accord("accord", "**Accord**", "postgresql")
ACCORD_SQLITE = _accord("accord-sqlite", "**Accord**", "sqlite")
ACCORD_UNCACHED = _accord(
    "accord-uncached", "Accord, without the response cache", "postgresql", ACCORD_RESPONSE_CACHE_SIZE="0"
)
ACCORD_SQLITE_UNCACHED = _accord(
    "accord-sqlite-uncached", "Accord, without the response cache", "sqlite", ACCORD_RESPONSE_CACHE_SIZE="0"
)
LIMIT = Peer("limit", "Bare ASGI, SQL by hand", _uvicorn("bare_asgi"), ("asyncpg", "orjson", "uvicorn"))
FASTAPI = Peer("fastapi", "FastAPI, async SQLAlchemy", _uvicorn("fastapi_async"), ("fastapi", "pydantic", "sqlalchemy"))
FASTAPI_SQLITE = Peer(
    "fastapi-sqlite", "FastAPI, SQLAlchemy", _uvicorn("fastapi_sync"), ("fastapi", "sqlalchemy"), database="sqlite"
)
PEERS = (
    ACCORD,
    ACCORD_UNCACHED,
    FASTAPI,
    Peer("litestar", "Litestar, msgspec", _uvicorn("litestar_async"), ("litestar", "msgspec", "advanced-alchemy")),
    Peer("flask-smorest", "flask-smorest, gunicorn", _GUNICORN, ("flask-smorest", "marshmallow", "gunicorn")),
    Peer("connexion", "Connexion FlaskApp", _uvicorn("connexion_flask"), ("connexion", "flask", "psycopg")),
    Peer("fastify", "Fastify, pg", ("{node}", str(install.FASTIFY / "server.js")), ("fastify", "pg")),
    LIMIT,
    ACCORD_SQLITE,
    ACCORD_SQLITE_UNCACHED,
    FASTAPI_SQLITE,
)


class WrongResponse(Exception):
    """A server does not respond as all of them must."""


@dataclass
class Server:
    """A peer that runs, on the processors of the servers. It has needed `start_seconds` until its first response."""

    peer: Peer
    database: Database
    port: int
    process: psutil.Popen
    token: str = field(default="", repr=False)
    start_seconds: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the server and its child processes so far, in seconds."""
        return cpu_seconds(self.process)

    @property
    def memory(self) -> tuple[float, float]:
        """Return resident and proportional set size of the server and its child processes, in MB."""
        return memory(self.process)

    def ask(self, method: str, path: str, *, token: str = "", key: str = "", body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON content of the response."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
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
def serving(
    peer: Peer, database: Database, folder: Path, interpreters: Mapping[str, str], cpus: Collection[int]
) -> Iterator[Server]:
    """Yield the server when it is healthy. Its output is in a file in the folder."""
    port = free_port()
    placeholders = {"port": port, "pool_size": POOL_SIZE, "workers": peer.workers, "checkout": peer.checkout}
    command = [word.format(**placeholders, **interpreters) for word in peer.command]
    environment = os.environ | {
        "PYTHONPATH": f"{install.PEERS}{os.pathsep}{peer.checkout.root}",
        "NODE_ENV": "production",
        "BENCH_DATABASE_URL": database.url,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": _SECRET,
        "BENCH_SCOPE": _SCOPE,
        "BENCH_ORDER_SCOPE": _ORDER_SCOPE,
        "BENCH_WORKERS": str(peer.workers),
        **accord_settings(peer, database, folder),
    }
    log = folder / f"{peer.name}.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = psutil.Popen(
            command,
            cwd=peer.checkout.root,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
    try:
        server = Server(peer, database, port, process)
        _wait_until_healthy(server, log)
        server.start_seconds = time.perf_counter() - began
        server.token = _log_in(server) if peer.is_accord else _signed_token()
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def accord_settings(peer: Peer, database: Database, folder: Path) -> dict[str, str]:
    """Return the environment variables of Accord, with rate limits that no load exceeds."""
    return {
        "ACCORD_DATABASE_URL": database.url,
        "ACCORD_RATE_LIMITS": json.dumps(generous_limits(peer.checkout.root)),
        "ACCORD_DATABASE_POOL_SIZE": str(POOL_SIZE),
        "ACCORD_DATA_DIR": str(folder / f"{peer.name}-data"),
        **peer.settings,
    }


def _wait_until_healthy(server: Server, log: Path) -> None:
    latest = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < latest and server.process.poll() is None:
        try:
            if server.ask("GET", server.peer.health)[0] == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.002)
    raise WrongResponse(f"{server.peer.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _log_in(server: Server) -> str:
    status, content = server.ask("POST", f"{server.peer.prefix}/auth/login", body=ADMIN)
    if status not in (200, 201):
        raise WrongResponse(f"{server.peer.name}: the log-in failed: {status} {content}")
    return str(content["access_token"])


def _signed_token() -> str:
    moment = int(time.time())
    scopes = f"{_SCOPE} {_ORDER_SCOPE}"
    return jwt.encode({"sub": str(ADMIN_ID), "scope": scopes, "iat": moment, "exp": moment + 24 * 3600}, _SECRET)
