"""The command that serves the contract."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from functools import partial
from socket import gaierror
from typing import Any

import click
import uvicorn

from accord.app.container import Container
from accord.app.documents import DOCUMENT_CACHE, PUBLISHED, ROOT
from accord.app.factory import build_app, create_app
from accord.cli.common import load_settings, require_migrations
from accord.cli.errors import describe_error, is_temporary
from accord.server import supervisor
from accord.server.protocol import HttpProtocol
from accord.server.timeouts import Timeouts
from accord.settings import Settings
from accord.telemetry import multiprocess
from accord.telemetry.multiprocess import MultiprocessMetrics
from db.errors import DatabaseUnavailable

_FACTORY = "accord.cli:create_app"
_FOLDERS = ("accord", "db", "handlers", "openapi", "services")
"""The folders of the code and of the contract."""


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 256), help="Server processes.")
@click.option("--reload", is_flag=True, help="Restart when a file changes.")
def serve(host: str | None, port: int | None, workers: int | None, reload: bool) -> None:
    """Serve the contract over HTTP."""
    settings = load_settings()
    if reload and settings.environment == "production":
        raise click.ClickException("ACCORD_ENVIRONMENT is production, where --reload is not allowed.")
    host, workers = host or settings.host, workers or settings.workers
    port = settings.port if port is None else port
    try:
        require_migrations(settings)
    except DatabaseUnavailable as error:
        if not is_temporary(error):
            raise
        # Service and database may start at the same time.
        click.echo(f"{describe_error(error)} Until then, /health/ready is 503.", err=True)
    app = _application(settings, in_this_process=not reload)
    with _binding(host, port, "--host or ACCORD_HOST", "--port or ACCORD_PORT"):
        listening = supervisor.bind(host, port)
    if reload:
        # A restart for a changed file should not wait for the draining.
        os.environ["ACCORD_DRAIN_SECONDS"] = "0"
    multiprocess.clean_up(settings.data_dir)
    if settings.metrics_port is not None:
        from prometheus_client import start_http_server  # noqa: PLC0415  # It imports an HTTP client and a server.

        from accord.telemetry import prometheus  # noqa: PLC0415  # As above.

        metrics = MultiprocessMetrics(multiprocess.directory(settings.data_dir))
        with _binding(settings.metrics_host, settings.metrics_port, "ACCORD_METRICS_HOST", "ACCORD_METRICS_PORT"):
            start_http_server(settings.metrics_port, settings.metrics_host, prometheus.registry(metrics.snapshot))
    timeouts = Timeouts(header=settings.header_timeout, body=settings.body_timeout, write=settings.write_timeout)
    config = uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        reload_dirs=[str(ROOT / folder) for folder in _FOLDERS] if reload else None,
        access_log=False,
        log_config=None,
        server_header=False,
        root_path=settings.root_path.rstrip("/"),
        # ForwardedMiddleware reads the headers of proxies.
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=settings.shutdown_timeout,
        timeout_keep_alive=settings.keep_alive_timeout,  # type: ignore[arg-type]  # Fractions of a second work as well.
        # A busy machine may need longer to start a process than the default, after which uvicorn starts another one.
        timeout_worker_healthcheck=60,
        http=partial(HttpProtocol, timeouts=timeouts),  # type: ignore[arg-type]  # Uvicorn only calls it.
        ws="none",
    )
    supervisor.call_when_listening(listening, partial(_print_addresses, host, listening.getsockname()[1]))
    if workers > 1 and settings.redis_url is None:
        click.echo(
            f"Each of the {workers} processes counts rate limits for itself. Set ACCORD_REDIS_URL to count together.",
            err=True,
        )
    supervisor.serve(listening, config, _FACTORY)


def _application(settings: Settings, *, in_this_process: bool) -> Any:
    """
    Return the application, or the name of its factory if processes serve that import everything themselves.

    The application is built in both cases, so that errors of the contract are raised before the port is open.
    """
    if in_this_process:
        return create_app(settings)
    build_app(Container(settings, document_cache=DOCUMENT_CACHE))
    return _FACTORY


@contextmanager
def _binding(host: str, port: int, host_setting: str, port_setting: str) -> Iterator[None]:
    """Raise ClickException, in a sentence, if the block cannot bind the port."""
    try:
        yield
    except OSError as error:
        if error.errno == EADDRINUSE:
            sentence = f"Port {port} of {host} is in use: stop the program that uses it, or set {port_setting}"
        elif error.errno == EACCES:
            sentence = f"Port {port} needs a permission that this user lacks: set {port_setting} to 1024 or higher"
        elif error.errno == EADDRNOTAVAIL or isinstance(error, gaierror):
            sentence = f"The address {host} is not one of this machine: correct {host_setting}"
        else:
            sentence = (
                f"Port {port} of {host} cannot be opened ({error.strerror}): set {host_setting}, or {port_setting}"
            )
        raise click.ClickException(f"{sentence}.") from None


def _print_addresses(host: str, port: int) -> None:
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    click.echo(f"Documentation  {base}/docs\nContract       {base}{PUBLISHED['v1']}")
    click.echo(f"Health         {base}/health/ready")
    click.echo(f"Example        curl '{base}/api/v1/products?sort=-price&per_page=3'")
