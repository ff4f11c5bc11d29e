"""Sparse fieldsets: the response has only the properties that the query parameter `fields` lists."""

from typing import TYPE_CHECKING, Any

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def sparse_fieldsets(operation: "Operation", handle: Handle) -> Handle | None:
    """
    Leave out the properties that `fields` does not list, of the resource or of each item of a page.

    Properties that the schema requires in all its alternatives stay. The entity tag is the one of the complete
    representation, so the tag of a response with some properties is valid in `If-Match`, too.
    """
    if "fields" not in operation.parameters.by_argument:
        return None
    success = operation.success
    shape = operation.marshmallow_schemas.for_schema(success.schema)
    items = operation.schemas.merge(success.schema).get("properties", {}).get("items")
    if items is not None:
        shape = operation.marshmallow_schemas.for_schema(operation.schemas.merge(items).get("items"))
    required = shape.minimal if shape else frozenset()

    def handle_sparsely(request: Request, session: Any) -> Response:
        response = handle(request, session)
        fields = request.arguments.get("fields")
        if not fields or response.data is None:
            return response
        selected = required.union(fields)

        def select(resource: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in resource.items() if name in selected}

        data = response.data
        sparse = {**data, "items": [select(item) for item in data["items"]]} if items else select(data)
        reduced = success.from_data(sparse)
        return Response(response.status, reduced.body, response.headers, reduced.data, modified_at=response.modified_at)

    return handle_sparsely
