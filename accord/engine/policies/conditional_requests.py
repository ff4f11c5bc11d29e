"""Which version the caller has, and whether it is still the current one (RFC 9110, section 13)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.problems import Problem
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation

_OF_CONTENT = frozenset({b"content-type", b"content-disposition"})
_TAG = re.compile(rb'(?:W/)?"[^"]*"')


def if_match(operation: "Operation", perform: Handle) -> Handle | None:
    """
    `ETag` header in the response, and `If-Match` parameter.

    A tag is of the bytes of the representation in JSON; in another media type it has a suffix, and
    guards a change as well. `If-Match` compares with what GET on the same path answers in the same
    unit of work, which is why that runs guarded: see `Seam`. A path without a GET, such as
    `/tasks/{task_id}/status`, is a part of the one it hangs on.
    """
    has_tag = "etag" in operation.success.headers
    get = _get(operation) if operation.accepts_if_match else None
    suffixes = [kind.tag_suffix for kind in get.renderers.every] if get and get.renderers else [b""]
    if not (has_tag or get):
        return None

    def perform_conditionally(request: Request, session: Any) -> Response:
        seen = None
        if get:
            wanted = request.headers.get(b"if-match")
            if wanted is None and operation.requires_if_match:
                raise Problem(428, "Say in If-Match which version you change: the ETag that you read.")
            if wanted is not None:
                # What was read is held until the handler is done: a session forgets what nobody holds.
                seen = get.respond(request, session)
                if not matches_etag(wanted, *(_etag(seen, suffix) for suffix in suffixes)):
                    raise Problem(412, "It has changed since you read it. Read it again, and decide anew.")
        answer = perform(request, session)
        if has_tag:
            answer.headers.append(
                (b"etag", _etag(answer, request.media_type.tag_suffix if request.media_type else b""))
            )
        return answer

    return perform_conditionally


def if_none_match(operation: "Operation", perform: Handle) -> Handle | None:
    """`If-None-Match` and `If-Modified-Since` parameters: 304 for who has what the answer is."""
    by_tag, by_date = (operation.has_header(name) for name in ("if-none-match", "if-modified-since"))
    for name, is_taken, header in (("If-None-Match", by_tag, "ETag"), ("If-Modified-Since", by_date, "Last-Modified")):
        if is_taken and header.lower() not in operation.success.headers:
            raise error_at(operation.spec, f"{operation.id} takes {name}, but its response declares no {header}.")
    if not (by_tag or by_date) or operation.cache_control.uses_server_cache:
        # What is kept is kept as a whole: a 304 is made of it.
        return None

    def perform_unless_known(request: Request, session: Any) -> Response:
        return not_modified(request, perform(request, session))

    return perform_unless_known


def not_modified(request: Request, answer: Response) -> Response:
    """Return *answer*, or the 304 that says that the caller has it; beside a tag, a date is not looked at."""
    tags, since = request.headers.get(b"if-none-match"), request.headers.get(b"if-modified-since")
    if tags:
        is_known = any(name == b"etag" and matches_etag(tags, value, weak=True) for name, value in answer.headers)
    elif since and tags is None:
        is_known = any(name == b"last-modified" and not _is_later(value, since) for name, value in answer.headers)
    else:
        return answer
    return (
        Response(304, b"", [header for header in answer.headers if header[0] not in _OF_CONTENT])
        if is_known
        else answer
    )


def etag(body: bytes, suffix: bytes = b"") -> bytes:
    return b'"%s%s"' % (blake2b(body, digest_size=12).hexdigest().encode(), suffix)


def matches_etag(header: bytes, *tags: bytes, weak: bool = False) -> bool:
    """Return whether *header*, of If-Match or If-None-Match, names one of *tags*; weakly, a weak tag can do so."""
    if header.strip() == b"*":
        return True
    return any((found.removeprefix(b"W/") if weak else found) in tags for found in _TAG.findall(header))


def _is_later(modified: bytes, since: bytes) -> bool:
    """Return whether *modified* is a later date than *since*; what is no date is earlier than all."""
    try:
        asked = parsedate_to_datetime(since.decode("latin-1"))
    except (ValueError, OverflowError):
        return True
    return parsedate_to_datetime(modified.decode()) > (asked if asked.tzinfo else asked.replace(tzinfo=UTC))


def _etag(answer: Response, suffix: bytes) -> bytes:
    return etag(answer.body, suffix) if answer.etag is None else f'"{answer.etag}"'.encode()


def _get(operation: "Operation") -> "Operation":
    get: Operation | None = operation.path_item.operations.get("GET")
    if get is None and operation.path_item.parent:
        get = operation.path_item.parent.operations.get("GET")
    if get is None or "etag" not in get.success.headers:
        raise error_at(
            operation.spec, f"{operation.id} takes If-Match, but its path has no GET whose response declares an ETag."
        )
    return get
