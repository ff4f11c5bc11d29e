"""A part of the content is enough (RFC 9110, section 14): a `Range` parameter in the header."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from werkzeug.http import parse_range_header

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.problems import Problem
from accord.engine.renderers.files import ByteRange
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


# The last bytes, and none of them; werkzeug takes that for no range.
_UNSATISFIABLE = re.compile(rb"bytes\s*=\s*-0+", re.IGNORECASE)


def byte_ranges(operation: "Operation", perform: Handle) -> Handle | None:
    """
    Answer 206 with the bytes from one to another, 416 if there are none.

    Several ranges at once, other units, and what is no range give the whole, as does an
    `If-Range` with another tag than the current one.
    """
    if not operation.has_header("range"):
        return None
    if not operation.success.is_content:
        raise error_at(operation.spec, f"{operation.id} takes Range, but its response is no content of a file.")

    def perform_partly(request: Request, session: Any) -> Response:
        answer = perform(request, session)
        if answer.byte_range is None:
            return answer
        answer.headers.append((b"accept-ranges", b"bytes"))
        asked, condition = request.headers.get(b"range"), request.headers.get(b"if-range")
        if asked is None or (condition is not None and condition != dict(answer.headers).get(b"etag")):
            return answer
        part = _byte_range(asked, answer.byte_range)
        if part is None:
            return answer
        span = (b"content-range", b"bytes %d-%d/%d" % (part.start, part.end - 1, part.size))
        return Response(206, headers=[*answer.headers, span], byte_range=part)

    return perform_partly


def _byte_range(asked: bytes, whole: ByteRange) -> ByteRange | None:
    found = parse_range_header(asked.decode("latin-1"))
    is_empty = _UNSATISFIABLE.fullmatch(asked)
    if not is_empty and (found is None or found.units != "bytes" or len(found.ranges) != 1):
        return None
    start, end = found.ranges[0] if found else (whole.size, None)
    start = max(start + whole.size, 0) if start < 0 else start
    if is_empty or start >= whole.size:
        detail = f"The content has {whole.size} bytes; none of them is in the range."
        raise Problem(416, detail, headers={"Content-Range": f"bytes */{whole.size}"})
    return replace(whole, start=start, end=min(end or whole.size, whole.size))
