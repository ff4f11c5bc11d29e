"""The patches of other packages, all in one place. Each names the version that it was written for."""

import logging

from connexion.spec import OpenAPISpecification
from PIL import Image


def apply() -> None:
    """Patch Connexion, Pillow and uvicorn; to do so twice changes nothing."""
    # Connexion 3.3: its own schema is of OpenAPI 3.0. The contract is checked by the engine, and in the tests as 3.1.
    OpenAPISpecification.openapi_schema = {}
    # Pillow 13: `accord.storage.images` has the one limit; Pillow would warn at another one, and refuse at a third.
    Image.MAX_IMAGE_PIXELS = None
    # Uvicorn 0.54: `accord.server.protocol` logs a malformed request itself, with its id and its reason.
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != "Invalid HTTP request received."
