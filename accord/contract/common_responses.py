"""Completes operations with the responses, and responses with the headers, that the document declares once for all."""

from collections.abc import Callable, Iterator
from typing import Any

from accord.contract.errors import ContractError, SourceMapping

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
    responses, groups = _mapping(document.pop(RESPONSES, {})), _mapping(document.pop(HEADERS, {}))
    default_limits = _mapping(document.get("x-rate-limits")).get("default")
    for operation in _operations(document, resolve):
        declared = operation.get("responses")
        if not isinstance(declared, SourceMapping):
            continue
        declared.update({status: response for status, response in responses.items() if status not in declared})
        ordered = sorted(declared.items())
        declared.clear()
        declared.update(ordered)
        headers = dict(_mapping(groups.get(EVERY)))
        if operation.get("x-rate-limit", default_limits):
            headers |= _mapping(groups.get(LIMITED))
        for response in declared.values():
            _add_headers(_resolve(response, resolve), headers)
        if operation.get("deprecated"):
            for status, response in declared.items():
                declared[status] = _deprecated_response(document, response, resolve)
                _add_headers(_resolve(declared[status], resolve), _mapping(groups.get(DEPRECATED)))
    return frozenset(name.lower() for name in _mapping(groups.get(EVERY)))


def _operations(document: dict[str, Any], resolve: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    for item in _mapping(document.get("paths")).values():
        yield from (node for node in _resolve(item, resolve).values() if isinstance(node, dict) and "responses" in node)


def _add_headers(response: dict[str, Any], headers: dict[str, Any]) -> None:
    declared = response.setdefault("headers", SourceMapping()) if response and headers else None
    if isinstance(declared, dict):
        present = {name.lower() for name in declared}
        declared.update({name: header for name, header in headers.items() if name.lower() not in present})


def _deprecated_response(document: dict[str, Any], response: Any, resolve: Callable[[Any], Any]) -> Any:
    """Return the response, or for a reference one to a copy of its target."""
    reference = response.get("$ref") if isinstance(response, dict) else None
    target = _resolve(response, resolve)
    if not isinstance(reference, str) or not target:
        return response
    name = f"Deprecated{reference.rpartition('/')[2]}"
    document["components"]["responses"].setdefault(name, _copy(target))
    return SourceMapping({"$ref": f"#/components/responses/{name}"})


def _copy(response: dict[str, Any]) -> dict[str, Any]:
    copy = SourceMapping(response)
    copy.place = getattr(response, "place", SourceMapping.place)
    copy.lines = getattr(response, "lines", SourceMapping.lines)
    if isinstance(copy.get("headers"), dict):
        copy["headers"] = SourceMapping(copy["headers"])
    return copy


def _resolve(node: Any, resolve: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        return _mapping(resolve(node))
    except ContractError:
        # Validation reports a broken reference, after the document is read.
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    """Return *value* if it is a mapping, otherwise an empty one. The document is completed before validation."""
    return value if isinstance(value, dict) else {}
