"""The caller chooses the members it wants: a `fields` parameter in the query."""

from typing import TYPE_CHECKING, Any

from accord.engine.policies import Handle
from accord.engine.renderers.response import Response
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def sparse_fieldsets(operation: "Operation", perform: Handle) -> Handle | None:
    """
    Leave out what `fields` does not name, of the resource or of each item of a page.

    What the schema requires in all its alternatives stays. The entity tag stays that of the whole, so a tag
    that came with some of the fields guards a change as well as any other.
    """
    if "fields" not in operation.parameters.by_argument:
        return None
    success = operation.success
    shape = operation.marshmallow_schemas.for_schema(success.schema)
    items = operation.schemas.merged(success.schema).get("properties", {}).get("items")
    if items is not None:
        shape = operation.marshmallow_schemas.for_schema(operation.schemas.merged(items).get("items"))
    always = shape.minimal if shape else frozenset()

    def perform_sparsely(request: Request, session: Any) -> Response:
        answer = perform(request, session)
        wanted = request.arguments.get("fields")
        if not wanted or answer.data is None:
            return answer
        kept = always.union(wanted)

        def chosen(made: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in made.items() if name in kept}

        made = answer.data
        whole = success.from_data(
            {**made, "items": [chosen(item) for item in made["items"]]} if items else chosen(made)
        )
        return Response(answer.status, whole.body, answer.headers, whole.data)

    return perform_sparsely
