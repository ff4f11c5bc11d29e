"""Content negotiation: the response in the media type that the client prefers (RFC 9110, section 12)."""

from typing import TYPE_CHECKING, Any

import orjson

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def content_negotiation(operation: "Operation", handle: Handle) -> Handle | None:
    """
    Render the response in the media type of the request, if the operation declares several.

    The media type is selected before the handler runs. The response is rendered from its JSON, which has been
    validated. Its entity tag is the one of the JSON with a suffix: see `conditional_requests`.
    """
    if operation.renderers is None or len(operation.renderers.every) == 1:
        return None

    def handle_negotiated(request: Request, session: Any) -> Response:
        response = handle(request, session)
        media_type = request.media_type
        if media_type and media_type.render and response.body:
            response.body = media_type.render(orjson.loads(response.body), request.arguments.get("fields"))
            others = [header for header in response.headers if header[0] != b"content-type"]
            response.headers = [(b"content-type", media_type.content_type), *others]
        return response

    return handle_negotiated
