"""The application factory: the middleware, in their order, around the pages."""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import Any

from connexion import FlaskApp
from connexion.exceptions import ResolverError
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.server_error import ServerErrorMiddleware
from connexion.resolver import Resolver
from werkzeug.exceptions import HTTPException

from accord import portal
from accord import settings as configuration
from accord.app import patches
from accord.app.container import Container
from accord.app.documents import BASE, CONTRACTS, PUBLISHED, ROOT
from accord.app.exception_handlers import page_problem
from accord.engine.contract import Contract
from accord.engine.middleware import ContractMiddleware
from accord.middleware.compression import CompressionMiddleware
from accord.middleware.cors import CorsMiddleware
from accord.middleware.request_context import RequestContextMiddleware
from accord.middleware.versioning import ApiVersionMiddleware
from accord.settings import Settings
from accord.telemetry.tracing import Tracing, TracingMiddleware, is_enabled
from db import instrumentation

patches.apply()


def create_app(settings: Settings | None = None) -> FlaskApp:
    """
    Return the ASGI application, as *settings* or else the environment sets it.

    Raises SettingsError, ContractError, KeysError or TracingError.
    """
    gc.disable()
    try:
        app = build_app(Container(settings or configuration.load(), _tracing()))
        # What is there now stays: the garbage collector need not look at it again, and may look less often.
        gc.collect()
        gc.freeze()
    finally:
        gc.enable()
    gc.set_threshold(50_000, 20, 100)
    return app


def build_app(container: Container) -> FlaskApp:
    """Return the application of the parts in *container*."""
    app = FlaskApp(__name__, lifespan=partial(_lifespan, container), middlewares=_middlewares(container))
    app.add_api(container.first_document, resolver=Resolver(_nowhere), resolver_error=404)
    portal.register_portal(app.app, contracts=PUBLISHED, problems=ROOT / "openapi" / "problems.md")
    app.app.register_error_handler(HTTPException, page_problem)
    return app


def _middlewares(container: Container) -> list[Any]:
    """Return the middleware, outermost first, in the form that Connexion takes: each is called with the next one."""
    settings, contract, tracing = container.settings, container.contract, container.tracing
    listeners = (container.metrics.record, container.log.access_log(exclude=_asked_by_machines(contract)))
    versions = [version.removeprefix("v") for version in CONTRACTS]
    stack: list[Any] = [
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
        partial(ApiVersionMiddleware, base=BASE, names=versions, vendor="accord"),
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
            yield {"departure": container.graceful_shutdown}
        await container.rate_limit_storage.close()
        await container.database.close()


def _tracing() -> Tracing | None:
    if not is_enabled(os.environ):
        return None
    tracing = Tracing(os.environ)
    instrumentation.instrument_queries(tracing.query_span)
    return tracing


def _asked_by_machines(contract: Contract) -> set[str]:
    """Return the operations that machines ask every few seconds; that all is well is not worth a line."""
    paths = ("/health", "/metrics")
    return {operation.id for operation in contract.operations if operation.path_item.template.startswith(paths)}


def _nowhere(name: str) -> Any:
    """Keep operations out of Flask: the contract serves them, Flask has the pages beside it."""
    raise ResolverError(name)
