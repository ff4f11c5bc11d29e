"""Entity tags (RFC 9110, section 13): which version the caller has, and whether it is still the current one."""

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from contract.answering.response import Answer
from contract.errors import at
from contract.policies import Perform
from contract.problems import Problem
from contract.request import Request

if TYPE_CHECKING:
    from contract.operation import Operation

_TAG = re.compile(rb'(?:W/)?"[^"]*"')


def conditional(operation: "Operation", perform: Perform) -> Perform | None:
    """
    `ETag` header in the response, `If-None-Match` and `If-Match` parameters.

    A tag is of the bytes of the representation in JSON; in another media type it has a suffix, and
    guards a change as well. `If-Match` compares with what GET on the same path answers in the same
    unit of work, which is why that runs guarded: see `Seam`. A path without a GET, such as
    `/tasks/{task_id}/status`, is a part of the one it hangs on.
    """
    tagged = "etag" in operation.success.headers
    revalidates = operation.has_header("if-none-match")
    get = _get(operation) if operation.is_guarded else None
    suffixes = [kind.tag_suffix for kind in get.media_types.every] if get and get.media_types else [b""]
    if not (tagged or get):
        if revalidates:
            raise at(operation.spec, f"{operation.id} takes If-None-Match, but its response declares no ETag.")
        return None

    def perform_conditionally(request: Request, session: Any) -> Answer:
        seen = None
        if get:
            wanted = request.headers.get(b"if-match")
            if wanted is None and operation.must_match:
                raise Problem(428, "Say in If-Match which version you change: the ETag that you read.")
            if wanted is not None:
                # What was read is held until the handler is done: a session forgets what nobody holds.
                seen = get.answer(request, session)
                if not names_tag(wanted, *(_tag(seen, suffix) for suffix in suffixes)):
                    raise Problem(412, "It has changed since you read it. Read it again, and decide anew.")
        answer = perform(request, session)
        if tagged:
            tag = _tag(answer, request.media_type.tag_suffix if request.media_type else b"")
            answer.headers.append((b"etag", tag))
            if revalidates and (known := request.headers.get(b"if-none-match")) and names_tag(known, tag, weak=True):
                return Answer(304, b"", [header for header in answer.headers if header[0] != b"content-type"])
        return answer

    return perform_conditionally


def etag(body: bytes, suffix: bytes = b"") -> bytes:
    return b'"%s%s"' % (blake2b(body, digest_size=12).hexdigest().encode(), suffix)


def names_tag(header: bytes, *tags: bytes, weak: bool = False) -> bool:
    """Return whether *header*, of If-Match or If-None-Match, names one of *tags*; weakly, a weak tag can do so."""
    if header.strip() == b"*":
        return True
    return any((found.removeprefix(b"W/") if weak else found) in tags for found in _TAG.findall(header))


def _tag(answer: Answer, suffix: bytes) -> bytes:
    return etag(answer.body, suffix) if answer.tag is None else f'"{answer.tag}"'.encode()


def _get(operation: "Operation") -> "Operation":
    get: Operation | None = operation.path.operations.get("GET")
    if get is None and operation.path.parent:
        get = operation.path.parent.operations.get("GET")
    if get is None or "etag" not in get.success.headers:
        raise at(
            operation.spec, f"{operation.id} takes If-Match, but its path has no GET whose response declares an ETag."
        )
    return get
