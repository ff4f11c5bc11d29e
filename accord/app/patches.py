"""All patches of other packages. Each names the version that it was written for."""

from connexion.spec import OpenAPISpecification
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from accord.engine.problems import REASON_PHRASES


def apply() -> None:
    """Patch Connexion and uvicorn. A second call changes nothing."""
    # Connexion 3.3 validates with a schema of OpenAPI 3.0. The engine validates the contract, and the tests do as 3.1.
    OpenAPISpecification.openapi_schema = {}
    # Uvicorn 0.54 has the reason phrases of the running Python.
    for status, phrase in REASON_PHRASES.items():
        STATUS_LINE[status] = b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
