"""Validation of the contract itself: against the schema of OpenAPI 3.1, and for errors that it does not find."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs

from accord.contract.document import METHODS, PRIVATE_EXTENSIONS, Document
from accord.contract.errors import SourceMapping, error_at
from accord.contract.json_schemas import JsonSchemas, pointer
from accord.contract.openapi_objects import object_errors, suggestion
from accord.contract.references import NAMES, VALUES

KNOWN_EXTENSIONS = PRIVATE_EXTENSIONS | {
    "x-roles",
    "x-shown-once",
    "x-unique",
    "x-sunset",
    "x-deprecated-since",
    "x-successor",
    "x-rate-limits",
    "x-rate-limit",
    "x-cache-profiles",
    "x-cache-profile",
    "x-common-responses",
    "x-common-headers",
}


def structure_errors(document: Document) -> Iterator[Exception]:
    """Yield a ContractError for each error in the objects of *document*, or else by the JSON Schema of OpenAPI 3.1."""
    if not str(document.raw.get("openapi", "")).startswith("3.1"):
        yield error_at(document.raw, "openapi must be 3.1.x; the engine supports no other version.")
        return
    if ill_formed := list(object_errors(document)):
        yield from ill_formed
        return
    errors = list(_openapi_validator().iter_errors(document.raw))
    for error in errors:
        node: Any = document.raw
        nearest = node
        for part in error.instance_path:
            node = node[part if isinstance(node, list) else str(part)]
            nearest = node if isinstance(node, SourceMapping) else nearest
        where = pointer(error.instance_path) or "the document"
        yield error_at(nearest, f"{where} is not valid OpenAPI 3.1: {error.message[-300:]}.")
    if errors:
        return
    for path, item in document.raw.get("paths", {}).items():
        path_item = document.resolve(item)
        for method in METHODS:
            if method in path_item and not path_item[method].get("responses"):
                yield error_at(path_item[method], f"{method} {path} has no responses; declare its responses.")


def _openapi_validator() -> jsonschema_rs.Draft202012Validator:
    """Return the validator of OpenAPI 3.1. Its schema is a file of a package whose code is not imported."""
    package = find_spec("openapi_spec_validator")
    assert package
    assert package.origin
    schema = Path(package.origin).with_name("resources") / "schemas/v3.1/schema.json"
    return jsonschema_rs.Draft202012Validator(json.loads(schema.read_text("utf-8")))


def semantic_errors(document: Document) -> Iterator[Exception]:
    """Yield a ContractError for each part of *document* that is valid OpenAPI but cannot work.

    These are unknown extensions, invalid examples and defaults, missing and duplicate operation ids, and unknown
    security schemes and scopes.
    """
    yield from _unknown_extensions(document.raw)
    # Most validators of examples are needed only here.
    yield from _example_errors(document.raw, JsonSchemas(document))
    scopes = {name: granted_scopes(spec) for name, spec in document.security_schemes().items()}
    tags = [tag["name"] for tag in document.raw.get("tags", ())]
    for n, tag in enumerate(tags):
        if tag in tags[:n]:
            yield error_at(document.raw["tags"][n], f"the tag {tag} is declared before; remove one.")
    operations: dict[Any, str] = {}
    for path, method, spec in document.operations():
        name = spec.get("operationId")
        if not name:
            yield error_at(spec, f"{method} {path} has no operationId; add one of the form verb_noun.")
        elif name in operations:
            yield error_at(spec, f"operationId {name} is also that of {operations[name]}; rename one.")
        operations[name] = f"{method} {path}"
        for tag in spec.get("tags", ()):
            if tag not in tags:
                message = f"{name} has the tag `{tag}`, which `tags` of the document does not list"
                yield error_at(spec, f"{message}; {suggestion(tag, tags)}", "tags")
        yield from _security_errors(document, spec, scopes)


def _unknown_extensions(node: Any, names: bool = False) -> Iterator[Exception]:
    match node:
        case dict():
            for key, value in node.items():
                if not names and key.startswith("x-") and key not in KNOWN_EXTENSIONS:
                    yield error_at(node, f"unknown extension `{key}`; {suggestion(key, KNOWN_EXTENSIONS)}", key)
                if names or key not in VALUES:
                    yield from _unknown_extensions(value, not names and key in NAMES)
        case list():
            for item in node:
                yield from _unknown_extensions(item)


def _example_errors(node: Any, schemas: JsonSchemas, names: bool = False) -> Iterator[Exception]:
    """Yield a ContractError for each example or default that does not match its schema."""
    match node:
        case dict():
            if not names:
                schema = node.get("schema", node)
                values = [(key, node[key]) for key in ("example", "default") if key in node]
                examples = node.get("examples", [])
                if isinstance(examples, dict):
                    resolved = map(schemas.document.resolve, examples.values())
                    examples = [example["value"] for example in resolved if "value" in example]
                values += [("example", example) for example in examples]
                if values:
                    yield from _errors_of_values(node, schema, values, schemas)
            for key, value in node.items():
                if names or key not in VALUES:
                    yield from _example_errors(value, schemas, not names and key in NAMES)
        case list():
            for item in node:
                yield from _example_errors(item, schemas)


def _errors_of_values(
    node: Any, schema: Any, values: list[tuple[str, Any]], schemas: JsonSchemas
) -> Iterator[Exception]:
    view = schemas.validator(schema, "response")
    for kind, value in values:
        if not view.is_valid(value) and not schemas.validator(schema, "request").is_valid(value):
            where, detail, _ = view.errors(value)[0]
            place = where or "its root"
            yield error_at(node, f"the {kind} {value!r} does not match its schema at {place}; correct one: {detail}")


def granted_scopes(scheme: dict[str, Any]) -> frozenset[str] | None:
    """Return the scopes that the security scheme can grant; None if it declares neither `x-roles` nor `flows`."""
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
        yield error_at(spec, f"{name} has no security; list the scopes that it requires, or write `security: []`.")
    for requirement in spec.get("security", document.raw.get("security", [])):
        for scheme, scopes in requirement.items():
            if scheme not in schemes:
                yield error_at(
                    spec, f"{name}: unknown security scheme {scheme}; known: {', '.join(schemes) or 'none'}."
                )
                continue
            if not scopes:
                message = f"{name} has no scope of {scheme}; list the scopes that it requires, or write `security: []`."
                yield error_at(spec, message)
            known = schemes[scheme]
            if known is not None and (unknown := [scope for scope in scopes if scope not in known]):
                message = (
                    f"unknown scope {', '.join(unknown)} of {scheme}; known: {', '.join(sorted(known)) or 'none'}."
                )
                yield error_at(spec, f"{name}: {message}")
