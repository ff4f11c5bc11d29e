"""All patches of other packages. Each names the version that it was written for."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from accord.engine.problems import REASON_PHRASES


def apply() -> None:
    """Patch uvicorn. A second call changes nothing."""
    # Uvicorn 0.54 has the reason phrases of the running Python.
    for status, phrase in REASON_PHRASES.items():
        STATUS_LINE[status] = b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
