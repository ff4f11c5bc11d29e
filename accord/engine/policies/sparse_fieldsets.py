"""The caller chooses the members it wants: a `fields` parameter in the query."""

from typing import TYPE_CHECKING, Any

from accord.engine.policies import Perform
from accord.engine.renderers.response import Answer
from accord.engine.request import Request

if TYPE_CHECKING:
    from accord.engine.operation import Operation


def sparse_fields(operation: "Operation", perform: Perform) -> Perform | None:
    """
    Leave out what `fields` does not name, of the resource or of each item of a page.

    What the schema requires in all its alternatives stays. The entity tag stays that of the whole, so a tag
    that came with some of the fields guards a change as well as any other.
    """
    if "fields" not in operation.parameters.by_argument:
        return None
    success = operation.success
    shape = operation.representations.of(success.schema)
    items = operation.schemas.flat(success.schema).get("properties", {}).get("items")
    if items is not None:
        shape = operation.representations.of(operation.schemas.flat(items).get("items"))
    always = shape.fewest if shape else frozenset()

    def perform_sparsely(request: Request, session: Any) -> Answer:
        answer = perform(request, session)
        wanted = request.arguments.get("fields")
        if not wanted or answer.made is None:
            return answer
        kept = always.union(wanted)

        def chosen(made: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in made.items() if name in kept}

        made = answer.made
        whole = success.of({**made, "items": [chosen(item) for item in made["items"]]} if items else chosen(made))
        return Answer(answer.status, whole.body, answer.headers, whole.made)

    return perform_sparsely
