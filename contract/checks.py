"""What can be wrong with a contract on its own, found before anything runs."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema_rs

from contract.document import IMPLEMENTATION_WORDS, METHODS, Document
from contract.errors import Node, at
from contract.schemas import Schemas, pointer
from contract.security import Scheme

_OPENAPI = jsonschema_rs.Draft202012Validator(
    json.loads(files("openapi_spec_validator").joinpath("resources/schemas/v3.1/schema.json").read_text("utf-8"))
)

KNOWN_WORDS = IMPLEMENTATION_WORDS | {
    "x-roles", "x-shown-once", "x-sunset", "x-deprecated-since", "x-successor", "x-rate-limits", "x-rate-limit",
    "x-cache-profiles", "x-cache-profile",
}  # fmt: skip

_VALUES = frozenset({"example", "default", "enum", "const", "value", "x-roles"})
_NAMES = frozenset({
    "properties", "patternProperties", "$defs", "dependentSchemas", "schemas", "responses", "parameters", "headers",
    "examples", "requestBodies", "securitySchemes", "links", "callbacks", "pathItems", "content", "encoding",
    "paths", "webhooks", "variables", "mapping", "scopes",
})  # fmt: skip


def form_faults(document: Document) -> Iterator[Exception]:
    """Yield a ContractError for each place where *document* is not as OpenAPI's own schema says."""
    if not str(document.raw.get("openapi", "")).startswith("3.1"):
        yield at(document.raw, "openapi must be 3.1.x; this engine reads no other version.")
        return
    errors = list(_OPENAPI.iter_errors(document.raw))
    for error in errors:
        node: Any = document.raw
        nearest = node
        for part in error.instance_path:
            node = node[part if isinstance(node, list) else str(part)]
            nearest = node if isinstance(node, Node) else nearest
        where = pointer(error.instance_path) or "the document"
        yield at(nearest, f"{where} is not OpenAPI 3.1: {error.message[-300:]}.")
    for path, item in () if errors else document.raw.get("paths", {}).items():
        for method in METHODS:
            if method in document.follow(item) and "responses" not in document.follow(item)[method]:
                yield at(document.follow(item)[method], f"{method} {path} has no responses; declare what it answers.")


def faults(document: Document, schemas: Schemas, schemes: dict[str, Scheme]) -> Iterator[Exception]:
    """Yield a ContractError for each thing that OpenAPI allows and that cannot work, with file, place and remedy."""
    yield from _unknown_words(document.raw)
    yield from _misfits(document.raw, schemas)
    taken: dict[Any, str] = {}
    for path, method, spec in document.operations():
        name = spec.get("operationId")
        if not name:
            yield at(spec, f"{method} {path} has no operationId; name it verb_noun.")
        elif name in taken:
            yield at(spec, f"operationId {name} is taken by {taken[name]}; rename one.")
        taken[name] = f"{method} {path}"
        yield from _unguarded(document, spec, schemes)


def _unknown_words(node: Any, names: bool = False) -> Iterator[Exception]:
    match node:
        case dict():
            for key, value in node.items():
                if not names and key.startswith("x-") and key not in KNOWN_WORDS:
                    yield at(
                        node, f"{key} is not known here; it is one of {', '.join(sorted(KNOWN_WORDS))}, or a slip."
                    )
                if names or key not in _VALUES:
                    yield from _unknown_words(value, not names and key in _NAMES)
        case list():
            for item in node:
                yield from _unknown_words(item)


def _misfits(node: Any, schemas: Schemas, names: bool = False) -> Iterator[Exception]:
    """Yield an error for each example or default that does not fit its schema."""
    match node:
        case dict():
            if not names:
                schema = node.get("schema", node)
                values = [node[word] for word in ("example", "default") if word in node]
                examples = node.get("examples", [])
                values += examples if isinstance(examples, list) else [
                    schemas.document.follow(example).get("value") for example in examples.values()
                ]  # fmt: skip
                if values:
                    yield from _misfit(node, schema, values, schemas)
            for key, value in node.items():
                if names or key not in _VALUES:
                    yield from _misfits(value, schemas, not names and key in _NAMES)
        case list():
            for item in node:
                yield from _misfits(item, schemas)


def _misfit(node: Any, schema: Any, values: list[Any], schemas: Schemas) -> Iterator[Exception]:
    views = [schemas.validator(schema, "response"), schemas.validator(schema, "request")]
    for value in values:
        if not any(view.is_valid(value) for view in views):
            where, detail, _ = views[0].faults(value)[0]
            yield at(node, f"the example {value!r} does not fit its schema at {where or 'its root'}: {detail}")


def _unguarded(document: Document, spec: dict[str, Any], schemes: dict[str, Scheme]) -> Iterator[Exception]:
    name = spec.get("operationId")
    if "security" not in spec and not document.raw.get("security"):
        yield at(spec, f"{name} does not say who may call it; name scopes, or say `security: []`.")
    for requirement in spec.get("security", document.raw.get("security", [])):
        for scheme, scopes in requirement.items():
            if scheme not in schemes:
                yield at(spec, f"{name} takes the security scheme {scheme}, which the contract does not have.")
                continue
            if not scopes:
                yield at(spec, f"{name} names no scope of {scheme}; name the scopes it takes, or say `security: []`.")
            known = schemes[scheme].scopes
            if known is not None and (unknown := [scope for scope in scopes if scope not in known]):
                yield at(spec, f"{name} takes the scope {', '.join(unknown)}, which {scheme} grants to nobody.")
