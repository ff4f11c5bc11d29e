"""Completes page links: Link Objects of a list operation to itself inherit the query that a page echoes."""

from collections.abc import Callable, Iterator
from typing import Any

from accord.contract.errors import SourceMapping, error_at
from accord.contract.unvalidated import mapping, mapping_resolver

Resolve = Callable[[Any], dict[str, Any]]


def complete(document: dict[str, Any], resolve: Callable[[Any], Any]) -> None:
    """
    Complete the page links of *document*, in which *resolve* returns the target of a reference.

    A page link is a Link Object whose `operationId` is the operation that declares it. It inherits each query
    parameter of the operation that the page echoes. That is a parameter for which the schema of the response (of its
    first media type, with its references and its `allOf`) has a property of the same name. Such a parameter becomes
    `$response.body#/<name>`.
    A parameter that the link sets, as `<name>` or as `query.<name>`, keeps the value of the link. Null leaves it out.
    Query parameters are in the order of the operation, after all others.

    Links to other operations do not change. Links and responses that are references do not change either, because
    several operations can share them. Raises ContractError at a link with a null for a parameter that is not inherited.
    """
    # All links are read before the first one is changed, because a YAML anchor can put one object at two places.
    for link, parameters in list(_completed_links(document, mapping_resolver(resolve))):
        link["parameters"] = parameters


def _completed_links(document: dict[str, Any], resolve: Resolve) -> Iterator[tuple[SourceMapping, SourceMapping]]:
    """Yield each page link that inherits parameters, and its complete parameters."""
    for item in mapping(document.get("paths")).values():
        path_item = resolve(item)
        for operation in path_item.values():
            if not isinstance(operation, dict) or "operationId" not in operation:
                continue
            queries = _query_names(path_item, operation, resolve)
            for response in mapping(operation.get("responses")).values():
                echoed = [name for name in queries if name in _echoed_names(response, resolve)]
                for name, link in _page_links(response, operation["operationId"]):
                    if parameters := _inherit(name, link, queries, echoed, operation["operationId"]):
                        yield link, parameters


def _inherit(name: str, link: SourceMapping, queries: list[str], echoed: list[str], operation: str) -> SourceMapping:
    written = link.get("parameters", {})
    for key, value in written.items():
        if value is None and _query_name(key) not in echoed:
            raise error_at(
                link, f"link {name} of {operation} leaves out {key}, which it does not inherit; remove the null."
            )
    keys = {_query_name(key): key for key in written}
    parameters = SourceMapping({key: value for key, value in written.items() if _query_name(key) not in queries})
    for query in queries:
        if query in keys:
            parameters[keys[query]] = written[keys[query]]
        elif query in echoed:
            parameters[query] = f"$response.body#/{query}"
    inherited = {key: value for key, value in parameters.items() if value is not None}
    return SourceMapping.at(link.get("parameters", link), inherited)


def _page_links(response: Any, operation: str) -> Iterator[tuple[str, SourceMapping]]:
    for name, link in mapping(mapping(response).get("links")).items():
        is_page_link = isinstance(link, SourceMapping) and link.get("operationId") == operation
        if is_page_link and isinstance(link.get("parameters", {}), dict):
            yield name, link


def _query_names(path_item: dict[str, Any], operation: dict[str, Any], resolve: Resolve) -> list[str]:
    declared = [*_list(path_item.get("parameters")), *_list(operation.get("parameters"))]
    parameters = [resolve(parameter) for parameter in declared]
    return list(dict.fromkeys(str(each.get("name")) for each in parameters if each.get("in") == "query"))


def _echoed_names(response: Any, resolve: Resolve) -> set[str]:
    contents = mapping(mapping(response).get("content"))
    first = next(iter(contents.values()), None)
    return set(_property_names(mapping(first).get("schema"), resolve, []))


def _property_names(schema: Any, resolve: Resolve, within: list[Any]) -> Iterator[str]:
    if isinstance(schema, dict) and not any(schema is outer for outer in within):
        yield from mapping(schema.get("properties"))
        target = [resolve({"$ref": schema["$ref"]})] if "$ref" in schema else []
        for part in [*target, *_list(schema.get("allOf"))]:
            yield from _property_names(part, resolve, [*within, schema])


def _query_name(key: str) -> str:
    return key.removeprefix("query.")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
