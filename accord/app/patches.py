"""All patches of other packages. Each names the version that it was written for."""

import logging

from connexion.spec import OpenAPISpecification


def apply() -> None:
    """Patch Connexion and uvicorn. A second call changes nothing."""
    # Connexion 3.3 validates with a schema of OpenAPI 3.0. The engine validates the contract, and the tests do as 3.1.
    OpenAPISpecification.openapi_schema = {}
    # Uvicorn 0.54 logs a malformed request without details. `accord.server.protocol` logs its id and its reason.
    logging.getLogger("uvicorn.error").addFilter(_is_not_malformed_request)


def _is_not_malformed_request(record: logging.LogRecord) -> bool:
    return record.msg != "Invalid HTTP request received."
