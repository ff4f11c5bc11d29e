"""Completes responses: every operation whose target has a validator can respond 412 (RFC 9110, section 13)."""

from collections.abc import Callable
from typing import Any

from accord.contract.errors import SourceMapping
from accord.contract.unvalidated import mapping, mapping_resolver

_NAME = "PreconditionFailed"
_VALIDATORS = frozenset({"etag", "last-modified"})
_METHODS = ("get", "put", "post", "delete", "patch", "head")


def complete(document: dict[str, Any], resolve: Callable[[Any], Any]) -> None:
    """
    Add the 412 to the operations of *document* that evaluate preconditions, in which *resolve* follows references.

    These are the operations of a path whose `GET` has a 2xx response with `ETag` or `Last-Modified`, and of a path
    without a `GET` below such a path. The response is the component `PreconditionFailed`; without that component, an
    operation has to declare its own.
    """
    if _NAME not in mapping(mapping(document.get("components")).get("responses")):
        return
    resolve = mapping_resolver(resolve)
    paths = {path: resolve(item) for path, item in mapping(document.get("paths")).items()}
    for path, item in paths.items():
        get = mapping((item if "get" in item else paths.get(path.rpartition("/")[0], {})).get("get"))
        successes = [each for status, each in mapping(get.get("responses")).items() if status.startswith("2")]
        headers = {name.lower() for each in successes for name in mapping(resolve(each).get("headers"))}
        for method in _METHODS if headers & _VALIDATORS else ():
            responses = mapping(mapping(item.get(method)).get("responses"))
            if responses and not responses.keys() & {"412", "4XX", "default"}:
                added = SourceMapping({"$ref": f"#/components/responses/{_NAME}"})
                item[method]["responses"] = SourceMapping.at(
                    responses, dict(sorted([*responses.items(), ("412", added)]))
                )
