"""Range requests: a part of the content, selected by `Range` (RFC 9110, section 14)."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from werkzeug.http import parse_range_header

from accord.contract.errors import error_at
from accord.engine.policies import Handle
from accord.engine.policies.conditional_requests import parse_date
from accord.engine.problems import Problem
from accord.engine.renderers.files import ByteRange
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


# A suffix range of length zero. It is valid and cannot be satisfied, but werkzeug parses it as invalid.
_UNSATISFIABLE = re.compile(rb"bytes\s*=\s*-0+", re.IGNORECASE)


def byte_ranges(operation: "Operation", handle: Handle) -> Handle | None:
    """
    Serve the `Range` parameter of the header: a 206 with the bytes of the range, a 416 if there are none.

    Several ranges at once, other units, and invalid ranges give the whole content. So does an `If-Range` with another
    validator than the current one, which is an entity tag or a date that is strong: see `files.last_modified`. RFC
    9110, section 14.2, defines `Range` for GET only.
    """
    if not operation.has_header("range"):
        return None
    if not operation.success.is_file:
        raise error_at(operation.spec, f"{operation.id} takes Range, but its response is not the content of a file.")

    def handle_range(request: Request, session: Any) -> Response:
        response = handle(request, session)
        if response.byte_range is None:
            return response
        response.headers.append((b"accept-ranges", b"bytes"))
        value, condition = request.headers.get(b"range"), request.headers.get(b"if-range")
        if value is None or request.scope["method"] != "GET":
            return response
        if condition is not None and condition not in _strong_validators(response):
            return response
        part = _byte_range(value, response.byte_range)
        if part is None:
            return response
        span = (b"content-range", b"bytes %d-%d/%d" % (part.start, part.end - 1, part.size))
        return Response(206, headers=[*response.headers, span], byte_range=part)

    return handle_range


def _strong_validators(response: Response) -> list[bytes]:
    headers, modified_at = dict(response.headers), response.modified_at
    last_modified = headers.get(b"last-modified")
    date = parse_date(last_modified)
    strong = [headers[b"etag"]] if b"etag" in headers else []
    return [*strong, last_modified] if last_modified and date and modified_at and date >= modified_at else strong


def _byte_range(value: bytes, whole: ByteRange) -> ByteRange | None:
    """Return the part of *whole* that *value* selects, or None to ignore it. Raises a 416 if it selects no byte."""
    parsed = parse_range_header(value.decode("latin-1"))
    is_empty = _UNSATISFIABLE.fullmatch(value)
    if not is_empty and (parsed is None or parsed.units != "bytes" or len(parsed.ranges) != 1):
        return None
    start, end = parsed.ranges[0] if parsed else (whole.size, None)
    start = max(start + whole.size, 0) if start < 0 else start
    if is_empty or start >= whole.size:
        detail = f"The content has {whole.size} bytes, and none of them is in the range."
        raise Problem(416, detail, headers={"Content-Range": f"bytes */{whole.size}"})
    return replace(whole, start=start, end=min(end or whole.size, whole.size))
