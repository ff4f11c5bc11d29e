"""What can be wrong with a contract on its own, found before anything runs."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema_rs

from accord.contract.document import METHODS, PRIVATE_EXTENSIONS, Document
from accord.contract.errors import SourceMapping, error_at
from accord.contract.json_schemas import JsonSchemas, pointer

_OPENAPI = jsonschema_rs.Draft202012Validator(
    json.loads(files("openapi_spec_validator").joinpath("resources/schemas/v3.1/schema.json").read_text("utf-8"))
)

KNOWN_EXTENSIONS = PRIVATE_EXTENSIONS | {
    "x-roles",
    "x-shown-once",
    "x-sunset",
    "x-deprecated-since",
    "x-successor",
    "x-rate-limits",
    "x-rate-limit",
    "x-cache-profiles",
    "x-cache-profile",
}

_VALUES = frozenset({"example", "default", "enum", "const", "value", "x-roles"})
_NAMES = frozenset(
    {
        "properties",
        "patternProperties",
        "$defs",
        "dependentSchemas",
        "schemas",
        "responses",
        "parameters",
        "headers",
        "examples",
        "requestBodies",
        "securitySchemes",
        "links",
        "callbacks",
        "pathItems",
        "content",
        "encoding",
        "paths",
        "webhooks",
        "variables",
        "mapping",
        "scopes",
    }
)


def structure_errors(document: Document) -> Iterator[Exception]:
    """Yield a ContractError for each place where *document* is not as OpenAPI's own schema says."""
    if not str(document.raw.get("openapi", "")).startswith("3.1"):
        yield error_at(document.raw, "openapi must be 3.1.x; this engine reads no other version.")
        return
    errors = list(_OPENAPI.iter_errors(document.raw))
    for error in errors:
        node: Any = document.raw
        nearest = node
        for part in error.instance_path:
            node = node[part if isinstance(node, list) else str(part)]
            nearest = node if isinstance(node, SourceMapping) else nearest
        where = pointer(error.instance_path) or "the document"
        yield error_at(nearest, f"{where} is not OpenAPI 3.1: {error.message[-300:]}.")
    for path, item in () if errors else document.raw.get("paths", {}).items():
        for method in METHODS:
            if method in document.resolve(item) and "responses" not in document.resolve(item)[method]:
                yield error_at(
                    document.resolve(item)[method], f"{method} {path} has no responses; declare what it answers."
                )


def semantic_errors(document: Document, schemas: JsonSchemas) -> Iterator[Exception]:
    """Yield a ContractError for each thing that OpenAPI allows and that cannot work, with file, place and remedy."""
    yield from _unknown_extensions(document.raw)
    yield from _example_errors(document.raw, schemas)
    scopes = {name: granted_scopes(spec) for name, spec in document.security_schemes().items()}
    taken: dict[Any, str] = {}
    for path, method, spec in document.operations():
        name = spec.get("operationId")
        if not name:
            yield error_at(spec, f"{method} {path} has no operationId; name it verb_noun.")
        elif name in taken:
            yield error_at(spec, f"operationId {name} is taken by {taken[name]}; rename one.")
        taken[name] = f"{method} {path}"
        yield from _security_errors(document, spec, scopes)


def _unknown_extensions(node: Any, names: bool = False) -> Iterator[Exception]:
    match node:
        case dict():
            for key, value in node.items():
                if not names and key.startswith("x-") and key not in KNOWN_EXTENSIONS:
                    yield error_at(
                        node, f"{key} is not known here; it is one of {', '.join(sorted(KNOWN_EXTENSIONS))}, or a slip."
                    )
                if names or key not in _VALUES:
                    yield from _unknown_extensions(value, not names and key in _NAMES)
        case list():
            for item in node:
                yield from _unknown_extensions(item)


def _example_errors(node: Any, schemas: JsonSchemas, names: bool = False) -> Iterator[Exception]:
    """Yield an error for each example or default that does not fit its schema."""
    match node:
        case dict():
            if not names:
                schema = node.get("schema", node)
                values = [node[word] for word in ("example", "default") if word in node]
                examples = node.get("examples", [])
                values += (
                    examples
                    if isinstance(examples, list)
                    else [schemas.document.resolve(example).get("value") for example in examples.values()]
                )
                if values:
                    yield from _example_error(node, schema, values, schemas)
            for key, value in node.items():
                if names or key not in _VALUES:
                    yield from _example_errors(value, schemas, not names and key in _NAMES)
        case list():
            for item in node:
                yield from _example_errors(item, schemas)


def _example_error(node: Any, schema: Any, values: list[Any], schemas: JsonSchemas) -> Iterator[Exception]:
    views = [schemas.validator(schema, "response"), schemas.validator(schema, "request")]
    for value in values:
        if not any(view.is_valid(value) for view in views):
            where, detail, _ = views[0].errors(value)[0]
            yield error_at(node, f"the example {value!r} does not fit its schema at {where or 'its root'}: {detail}")


def granted_scopes(scheme: dict[str, Any]) -> frozenset[str] | None:
    """Return the scopes that the security scheme can grant; None if the contract does not say."""
    if "x-roles" in scheme:
        return frozenset(scope for scopes in scheme["x-roles"].values() for scope in scopes)
    if "flows" in scheme:
        return frozenset(scope for flow in scheme["flows"].values() for scope in flow.get("scopes", ()))
    return None


def _security_errors(
    document: Document, spec: dict[str, Any], schemes: dict[str, frozenset[str] | None]
) -> Iterator[Exception]:
    name = spec.get("operationId")
    if "security" not in spec and not document.raw.get("security"):
        yield error_at(spec, f"{name} does not say who may call it; name scopes, or say `security: []`.")
    for requirement in spec.get("security", document.raw.get("security", [])):
        for scheme, scopes in requirement.items():
            if scheme not in schemes:
                yield error_at(spec, f"{name} takes the security scheme {scheme}, which the contract does not have.")
                continue
            if not scopes:
                yield error_at(
                    spec, f"{name} names no scope of {scheme}; name the scopes it takes, or say `security: []`."
                )
            known = schemes[scheme]
            if known is not None and (unknown := [scope for scope in scopes if scope not in known]):
                yield error_at(spec, f"{name} takes the scope {', '.join(unknown)}, which {scheme} grants to nobody.")
