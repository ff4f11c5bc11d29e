"""Conditional requests: entity tags, dates, and the preconditions that compare them (RFC 9110, section 13)."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.problems import ExceptionHandlers, Problem
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation

PRECONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-unmodified-since"})
"""The preconditions of every operation whose target has a validator, declared or not."""
_READ_PRECONDITIONS = PRECONDITIONS | {b"if-modified-since"}

_METADATA = frozenset({b"content-type", b"content-disposition", b"accept-ranges", b"link"})
"""The headers that a 304 does not repeat, because the client has them (RFC 9110, section 15.4.5)."""
_TAG = re.compile(rb'(?:W/)?"[^"]*"')
_HTTP_DATE = re.compile(
    r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d\d-\w{3}-\d\d [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}",
    re.ASCII,
)


def entity_tag(operation: "Operation", handle: Handle) -> Handle | None:
    """
    Serve the `ETag` header of the response.

    An entity tag is computed from the bytes of the JSON representation. Another media type has the same tag with a
    suffix.
    """
    if "etag" not in operation.success.headers:
        return None
    operation.success.certain_headers.add(b"etag")

    def handle_with_tag(request: Request, session: Any) -> Response:
        response = handle(request, session)
        suffix = request.media_type.tag_suffix if request.media_type else b""
        response.headers.append((b"etag", _etag(response, suffix)))
        return response

    return handle_with_tag


class ChangePreconditions:
    """
    The preconditions of requests that change something: a 412 if one of them is false, before the handler runs.

    They are compared with the response of `Operation.validating_get` in the same unit of work, which therefore runs in
    the mode `repeatable_read`: see `Database`. The tags of all its media types match, because the change concerns the
    resource. If the target does not exist, `If-Match` is false and `If-None-Match` is true.
    """

    def __init__(self, exception_handlers: ExceptionHandlers) -> None:
        """*exception_handlers* recognize the error of a GET whose resource does not exist."""
        self.exception_handlers = exception_handlers

    def __call__(self, operation: "Operation", handle: Handle) -> Handle | None:
        get = operation.validating_get()
        if operation.has_header("if-match") and (get is None or "etag" not in get.success.headers):
            message = f"{operation.id} takes If-Match, but its path has no GET whose response declares an ETag."
            raise error_at(operation.spec, message)
        if operation.is_safe or get is None:
            return None
        suffixes = [kind.tag_suffix for kind in get.renderers.every] if get.renderers else [b""]
        has_tag = "etag" in get.success.headers

        def handle_conditionally(request: Request, session: Any) -> Response:
            headers = request.headers
            if operation.requires_if_match and b"if-match" not in headers:
                raise Problem(428, "If-Match is required: send the ETag of the version that you change.")
            if PRECONDITIONS.isdisjoint(headers):
                return handle(request, session)
            # The session references rows only weakly, so the variable keeps the rows until the handler is done.
            current = self._current(get, request, session)
            tags = [_etag(current, suffix) for suffix in suffixes] if current and has_tag else []
            modified_at = current.modified_at if current else None
            exists = current is not None
            listed = headers.get(b"if-none-match")
            if listed is not None and not _is_etag_list(listed):
                # Without its guard, the change could overwrite another one.
                raise Problem(400, "If-None-Match must be `*` or a list of entity tags, which are in quotes.")
            is_known = listed is not None and lists_etag(listed, tags, exists=exists)
            if is_known or not _matches(headers, tags, modified_at, exists=exists):
                if not exists:
                    # Without the precondition there may be another problem, which then precedes the 412 (RFC 9110,
                    # section 13.2.1). Otherwise the 412 rolls the change back.
                    handle(request, session)
                raise _precondition_failed(is_known=is_known)
            return handle(request, session)

        return handle_conditionally

    def _current(self, get: "Operation", request: Request, session: Any) -> Response | None:
        """Return the current representation of the target of *request*, or None if there is none."""
        try:
            return get.respond(get.request_for(request), session)
        except Exception as error:
            problem = self.exception_handlers.to_problem(error)
            if problem is None or problem.status != 404:
                raise
            return None


def conditional_get(operation: "Operation", handle: Handle) -> Handle | None:
    """Evaluate the preconditions of a GET or HEAD whose response has a validator: see `select`."""
    for name, header in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        if operation.has_header(name.lower()) and header.lower() not in operation.success.headers:
            raise error_at(operation.spec, f"{operation.id} takes {name}, but its response declares no {header}.")
    if not operation.is_safe or operation.validating_get() is None or operation.cache_control.uses_server_cache:
        # The response cache stores complete responses, and calls `select` itself.
        return None

    def handle_conditionally(request: Request, session: Any) -> Response:
        return select(request, handle(request, session))

    return handle_conditionally


def select(request: Request, response: Response) -> Response:
    """
    Return *response*, or a 304 if the client has it already. Raises a 412 Problem if another precondition is false.

    The order is that of RFC 9110, section 13.2.2. `Range` is evaluated afterwards.
    """
    headers = request.headers
    if _READ_PRECONDITIONS.isdisjoint(headers):
        return response
    sent = dict(response.headers)
    tags = [sent[b"etag"]] if b"etag" in sent else []
    # A range of an encoded representation has other bytes, so a tag that a proxy changed does not select it.
    if not _matches(headers, tags, response.modified_at, is_strong=b"range" in headers):
        raise _precondition_failed(is_known=False)
    if b"if-none-match" in headers:
        is_current = lists_etag(headers[b"if-none-match"], tags)
    else:
        since = parse_date(headers.get(b"if-modified-since"))
        modified_at = response.modified_at if b"last-modified" in sent else None
        is_current = since is not None and modified_at is not None and modified_at <= since
    if not is_current:
        return response
    return Response(304, b"", [header for header in response.headers if header[0] not in _METADATA])


def etag(body: bytes, suffix: bytes = b"") -> bytes:
    """Return the entity tag of *body*, with quotes: a digest of 96 bits in hexadecimal digits, and *suffix*."""
    return b'"%s%s"' % (blake2b(body, digest_size=12).hexdigest().encode(), suffix)


def lists_etag(header: bytes, tags: Sequence[bytes], *, exists: bool = True, is_strong: bool = False) -> bool:
    """
    Return whether *header*, a value of If-Match or If-None-Match, lists one of *tags*, or is `*` and the target exists.

    A weak tag in the header matches as well: all tags of this service are strong, so a proxy has weakened it. With
    *is_strong* it does not (RFC 9110, section 8.8.3.2). A header that is not a list of entity tags lists none.
    """
    if header.strip() == b"*":
        return exists
    if not _is_etag_list(header):
        return False
    return any((listed if is_strong else listed.removeprefix(b"W/")) in tags for listed in _TAG.findall(header))


def _is_etag_list(header: bytes) -> bool:
    """Return whether *header* is `*` or a list of entity tags (RFC 9110, section 13.1)."""
    return header.strip() == b"*" or not _TAG.sub(b"", header).strip(b" \t,")


def _matches(
    headers: Mapping[bytes, bytes],
    tags: Sequence[bytes],
    modified_at: datetime | None,
    *,
    exists: bool = True,
    is_strong: bool = False,
) -> bool:
    """Return whether `If-Match` is true, or without it `If-Unmodified-Since`. They are true if they are missing."""
    if b"if-match" in headers:
        return lists_etag(headers[b"if-match"], tags, exists=exists, is_strong=is_strong)
    since = parse_date(headers.get(b"if-unmodified-since"))
    return since is None or modified_at is None or modified_at <= since


def parse_date(value: bytes | None) -> datetime | None:
    """Return the time of an HTTP-date, or None for another value, which is ignored (RFC 9110, section 13.1.4)."""
    text = value.decode("latin-1") if value else ""
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _etag(response: Response, suffix: bytes) -> bytes:
    return etag(response.body, suffix) if response.etag is None else f'"{response.etag}"'.encode()


def _precondition_failed(*, is_known: bool) -> Problem:
    if is_known:
        return Problem(412, "The resource exists in a version that If-None-Match excludes.")
    return Problem(412, "The resource has changed since you read it. Read it again, then change it.")
