"""Conditional requests: entity tags, dates, and the preconditions that compare them (RFC 9110, section 13)."""

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

_CONTENT_HEADERS = frozenset({b"content-type", b"content-disposition"})
_TAG = re.compile(rb'(?:W/)?"[^"]*"')


def if_match(operation: "Operation", handle: Handle) -> Handle | None:
    """
    Serve the `ETag` header of the response, and the `If-Match` parameter.

    An entity tag is computed from the bytes of the JSON representation. Another media type has the same tag with a
    suffix, which `If-Match` accepts as well. `If-Match` is compared with the response of the GET on the same path in
    the same unit of work, which therefore runs in the mode `repeatable_read`: see `Database`. A path without a GET,
    such as `/tasks/{task_id}/status`, is a part of the resource at its parent path.
    """
    has_tag = "etag" in operation.success.headers
    get = _get(operation) if operation.accepts_if_match else None
    suffixes = [kind.tag_suffix for kind in get.renderers.every] if get and get.renderers else [b""]
    if not (has_tag or get):
        return None

    def handle_conditionally(request: Request, session: Any) -> Response:
        current = None
        if get:
            condition = request.headers.get(b"if-match")
            if condition is None and operation.requires_if_match:
                raise Problem(428, "If-Match is required: send the ETag of the version that you change.")
            if condition is not None:
                # The session references rows only weakly, so the variable keeps the rows until the handler is done.
                current = get.respond(request, session)
                if not matches_etag(condition, *(_etag(current, suffix) for suffix in suffixes)):
                    raise Problem(412, "The resource has changed since you read it. Read it again, then change it.")
        response = handle(request, session)
        if has_tag:
            response.headers.append(
                (b"etag", _etag(response, request.media_type.tag_suffix if request.media_type else b""))
            )
        return response

    return handle_conditionally


def if_none_match(operation: "Operation", handle: Handle) -> Handle | None:
    """Serve the `If-None-Match` and `If-Modified-Since` parameters: a 304 if the client has the current version."""
    by_tag, by_date = (operation.has_header(name) for name in ("if-none-match", "if-modified-since"))
    for name, is_taken, header in (("If-None-Match", by_tag, "ETag"), ("If-Modified-Since", by_date, "Last-Modified")):
        if is_taken and header.lower() not in operation.success.headers:
            raise error_at(operation.spec, f"{operation.id} takes {name}, but its response declares no {header}.")
    if not (by_tag or by_date) or operation.cache_control.uses_server_cache:
        # The response cache stores complete responses, and makes a 304 of them itself.
        return None

    def handle_unless_not_modified(request: Request, session: Any) -> Response:
        return not_modified(request, handle(request, session))

    return handle_unless_not_modified


def not_modified(request: Request, response: Response) -> Response:
    """
    Return *response*, or a 304 if the client has it already.

    `If-Modified-Since` is ignored if there is an `If-None-Match` (RFC 9110, section 13.1.3).
    """
    tags, since = request.headers.get(b"if-none-match"), request.headers.get(b"if-modified-since")
    if tags:
        is_current = any(name == b"etag" and matches_etag(tags, value, weak=True) for name, value in response.headers)
    elif since and tags is None:
        is_current = any(name == b"last-modified" and not _is_later(value, since) for name, value in response.headers)
    else:
        return response
    if not is_current:
        return response
    return Response(304, b"", [header for header in response.headers if header[0] not in _CONTENT_HEADERS])


def etag(body: bytes, suffix: bytes = b"") -> bytes:
    """Return the entity tag of *body*, with quotes: a digest of 96 bits in hexadecimal digits, and *suffix*."""
    return b'"%s%s"' % (blake2b(body, digest_size=12).hexdigest().encode(), suffix)


def matches_etag(header: bytes, *tags: bytes, weak: bool = False) -> bool:
    """
    Return whether *header*, a value of If-Match or If-None-Match, matches one of *tags*.

    With *weak* the comparison is weak: a weak tag in the header matches, too (RFC 9110, section 8.8.3.2).
    """
    if header.strip() == b"*":
        return True
    return any((listed.removeprefix(b"W/") if weak else listed) in tags for listed in _TAG.findall(header))


def _is_later(modified: bytes, since: bytes) -> bool:
    """Return whether *modified* is a later date than *since*. An invalid *since* is earlier than every date."""
    try:
        date = parsedate_to_datetime(since.decode("latin-1"))
    except (ValueError, OverflowError):
        return True
    return parsedate_to_datetime(modified.decode()) > (date if date.tzinfo else date.replace(tzinfo=UTC))


def _etag(response: Response, suffix: bytes) -> bytes:
    return etag(response.body, suffix) if response.etag is None else f'"{response.etag}"'.encode()


def _get(operation: "Operation") -> "Operation":
    """Return the GET of the path of *operation*, or of its parent path. Raises ContractError if it has no ETag."""
    get: Operation | None = operation.path_item.operations.get("GET")
    if get is None and operation.path_item.parent:
        get = operation.path_item.parent.operations.get("GET")
    if get is None or "etag" not in get.success.headers:
        raise error_at(
            operation.spec, f"{operation.id} takes If-Match, but its path has no GET whose response declares an ETag."
        )
    return get
