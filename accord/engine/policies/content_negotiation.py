"""The answer in the media type that the caller accepts most."""

from typing import TYPE_CHECKING, Any

import orjson

from accord.engine.policies import Perform
from accord.engine.renderers.response import Answer
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def negotiated(operation: "Operation", perform: Perform) -> Perform | None:
    """
    Several media types in the response.

    Which one it is was chosen before anything was done; it is written from the JSON, which was
    checked. The entity tag is that of the JSON with a suffix: see `conditional`.
    """
    if operation.media_types is None or len(operation.media_types.every) == 1:
        return None

    def perform_negotiated(request: Request, session: Any) -> Answer:
        answer = perform(request, session)
        wanted = request.media_type
        if wanted and wanted.write and answer.body:
            answer.body = wanted.write(orjson.loads(answer.body), request.arguments.get("fields"))
            others = [header for header in answer.headers if header[0] != b"content-type"]
            answer.headers = [(b"content-type", wanted.content_type), *others]
        return answer

    return perform_negotiated
