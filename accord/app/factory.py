"""The application factory: the middleware in order, around the contract and the pages."""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import Any

from connexion import FlaskApp
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.server_error import ServerErrorMiddleware
from werkzeug.exceptions import HTTPException

from accord import portal
from accord import settings as configuration
from accord.app import patches
from accord.app.container import Container
from accord.app.documents import API_PREFIX, CONTRACTS, DOCUMENT_CACHE, PUBLISHED, ROOT
from accord.app.exception_handlers import page_problem
from accord.engine.contract import Contract
from accord.engine.middleware import ContractMiddleware
from accord.middleware.compression import CompressionMiddleware
from accord.middleware.cors import CorsMiddleware
from accord.middleware.forwarded import ForwardedMiddleware
from accord.middleware.request_context import RequestContextMiddleware
from accord.middleware.versioning import ApiVersionMiddleware
from accord.settings import Settings
from accord.telemetry.tracing import Tracing, TracingMiddleware, is_enabled
from db import instrumentation

patches.apply()


def create_app(settings: Settings | None = None) -> FlaskApp:
    """
    Return the ASGI application. Without *settings*, they come from the environment and `.env`.

    Raises SettingsError, ContractError, SigningKeysError or TracingError.
    """
    gc.disable()
    try:
        app = build_app(Container(settings or configuration.load(), _tracing(), DOCUMENT_CACHE))
        # All objects that exist now live as long as the process. The garbage collector skips them from here on, and
        # runs less often.
        gc.collect()
        gc.freeze()
    finally:
        gc.enable()
    gc.set_threshold(50_000, 20, 100)
    return app


def build_app(container: Container) -> FlaskApp:
    """Return the application that *container* has the parts of."""
    app = FlaskApp(__name__, lifespan=partial(_lifespan, container), middlewares=_middlewares(container))
    portal.register_portal(app.app, contracts=PUBLISHED, problems=ROOT / "openapi" / "problems.md")
    app.app.register_error_handler(HTTPException, page_problem)
    return app


def _middlewares(container: Container) -> list[Any]:
    """Return the middleware, outermost first, in the form that Connexion takes: each is called with the next one."""
    settings, contract, tracing = container.settings, container.contract, container.tracing
    listeners = (container.metrics.record, container.log.access_log(exclude=_monitoring_operations(contract)))
    versions = [version.removeprefix("v") for version in CONTRACTS]
    stack: list[Any] = [
        partial(
            ForwardedMiddleware,
            trusted_proxies=settings.trusted_proxies,
            root_path=settings.root_path,
            is_own_segment=_own_segments(contract).__contains__,
        ),
        partial(RequestContextMiddleware, listeners=listeners, active=container.active_requests),
    ]
    if tracing:
        stack.append(partial(TracingMiddleware, tracing=tracing))
    if settings.cors_origins:
        stack.append(
            partial(CorsMiddleware, origins=settings.cors_origins.split(","), path_item=contract.path_item),
        )
    return [
        *stack,
        CompressionMiddleware,
        partial(ApiVersionMiddleware, base=API_PREFIX, names=versions, vendor="accord"),
        partial(ContractMiddleware, contract=contract),
        ServerErrorMiddleware,
        ExceptionMiddleware,
        LifespanMiddleware,
    ]


@asynccontextmanager
async def _lifespan(container: Container, _: Any) -> AsyncIterator[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        stack.enter_context(container.log.writer.buffered())
        if container.tracing:
            stack.enter_context(closing(container.tracing))
        stack.enter_context(container.multiprocess_metrics.publishing())
        with container.graceful_shutdown.handle_signals():
            yield {"graceful_shutdown": container.graceful_shutdown}
        await container.rate_limit_storage.close()
        await container.database.close()


def _tracing() -> Tracing | None:
    if not is_enabled(os.environ):
        return None
    tracing = Tracing(os.environ)
    instrumentation.instrument_queries(tracing.query_span)
    return tracing


def _own_segments(contract: Contract) -> frozenset[str]:
    """Return the first segments of all paths of the contract and the portal."""
    paths = [*contract.router.path_items, *contract.published_documents, *portal.PATHS]
    return frozenset(path.split("/")[1] for path in paths)


def _monitoring_operations(contract: Contract) -> set[str]:
    """Return the ids of operations that monitoring calls every few seconds, and whose success is not logged."""
    paths = ("/health", "/metrics")
    return {operation.id for operation in contract.operations if operation.path_item.template.startswith(paths)}
