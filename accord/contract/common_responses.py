"""Completes operations with the responses, and responses with the headers, that the document declares once for all."""

from collections.abc import Callable, Iterator
from typing import Any

from accord.contract.errors import SourceMapping
from accord.contract.unvalidated import mapping, mapping_resolver

RESPONSES, HEADERS = "x-common-responses", "x-common-headers"
EVERY, LIMITED, DEPRECATED = "every", "limited", "deprecated"
"""The groups of `x-common-headers`: of every response, of operations with rate limits, of deprecated operations."""


def complete(document: dict[str, Any], resolve: Callable[[Any], Any]) -> frozenset[str]:
    """
    Complete the operations of *document*, in which *resolve* returns the target of a reference.

    Each operation gets the responses of `x-common-responses` that it does not declare itself, and each response of an
    operation the headers of the groups of `x-common-headers` that the operation belongs to. A response that is a
    component gets them for all operations that refer to it, and deprecated operations refer to a component of their
    own, such as `DeprecatedNotFound`. Both extensions are removed from the document.

    Return the names of the headers of every response, in lower case.
    """
    resolve = mapping_resolver(resolve)
    responses, groups = mapping(document.pop(RESPONSES, {})), mapping(document.pop(HEADERS, {}))
    default_limits = mapping(document.get("x-rate-limits")).get("default")
    for operation in _operations(document, resolve):
        declared = operation.get("responses")
        if not isinstance(declared, SourceMapping):
            continue
        declared.update({status: response for status, response in responses.items() if status not in declared})
        ordered = sorted(declared.items())
        declared.clear()
        declared.update(ordered)
        headers = dict(mapping(groups.get(EVERY)))
        if operation.get("x-rate-limit", default_limits):
            headers |= mapping(groups.get(LIMITED))
        for response in declared.values():
            _add_headers(resolve(response), headers)
        if operation.get("deprecated"):
            for status, response in declared.items():
                declared[status] = _deprecated_response(document, response, resolve)
                _add_headers(resolve(declared[status]), mapping(groups.get(DEPRECATED)))
    return frozenset(name.lower() for name in mapping(groups.get(EVERY)))


def _operations(document: dict[str, Any], resolve: Callable[[Any], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in mapping(document.get("paths")).values():
        yield from (node for node in resolve(item).values() if isinstance(node, dict) and "responses" in node)


def _add_headers(response: dict[str, Any], headers: dict[str, Any]) -> None:
    declared = response.setdefault("headers", SourceMapping()) if response and headers else None
    if isinstance(declared, dict):
        present = {name.lower() for name in declared}
        declared.update({name: header for name, header in headers.items() if name.lower() not in present})


def _deprecated_response(document: dict[str, Any], response: Any, resolve: Callable[[Any], dict[str, Any]]) -> Any:
    """Return the response, or for a reference a copy of its target, which is a component if the target is one."""
    reference = response.get("$ref") if isinstance(response, dict) else None
    target = resolve(response)
    if not isinstance(reference, str) or not target:
        return response
    if not reference.startswith("#/components/responses/"):
        return _copy(target)
    name = f"Deprecated{reference.rpartition('/')[2]}"
    document["components"]["responses"].setdefault(name, _copy(target))
    return SourceMapping({"$ref": f"#/components/responses/{name}"})


def _copy(response: dict[str, Any]) -> dict[str, Any]:
    copy = SourceMapping.at(response, response)
    if isinstance(copy.get("headers"), dict):
        copy["headers"] = SourceMapping(copy["headers"])
    return copy
