"""The answer in the media type that the caller accepts most."""

from typing import TYPE_CHECKING, Any

import orjson

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def content_negotiation(operation: "Operation", perform: Handle) -> Handle | None:
    """
    Several media types in the response.

    Which one it is was chosen before anything was done; it is written from the JSON, which was
    checked. The entity tag is that of the JSON with a suffix: see `conditional`.
    """
    if operation.renderers is None or len(operation.renderers.every) == 1:
        return None

    def perform_negotiated(request: Request, session: Any) -> Response:
        answer = perform(request, session)
        wanted = request.media_type
        if wanted and wanted.render and answer.body:
            answer.body = wanted.render(orjson.loads(answer.body), request.arguments.get("fields"))
            others = [header for header in answer.headers if header[0] != b"content-type"]
            answer.headers = [(b"content-type", wanted.content_type), *others]
        return answer

    return perform_negotiated
