"""JSON Schema validators, compiled from the schemas of the contract for requests and for responses."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from hashlib import blake2b
from threading import Lock
from typing import Any

import jsonschema_rs

from accord.contract.document import Document
from accord.contract.errors import error_at
from accord.contract.keywords import ANNOTATIONS, subschemas
from accord.contract.schema_views import HIDDEN_BY, HIDDEN_MEMBER, Direction, SchemaViews, conjuncts, possible

_DESCRIPTIONS = frozenset({"title", "description", "example", "examples", "externalDocs", "deprecated", "$comment"})
"""Keywords for readers, of which the last one counts."""
_GROUPS = (frozenset({"if", "then", "else"}), frozenset({"contains", "minContains", "maxContains"}))
"""Keywords that have a meaning only together."""


class Validator:
    """Validates JSON values against one schema, which is compiled when the first value is validated."""

    __slots__ = ("_compile", "_compiled", "is_valid")

    is_valid: Callable[[Any], bool]
    """Returns whether a JSON value is valid. It becomes the method of the compiled validator, which calls no other."""

    def __init__(self, compile_schema: Callable[[], jsonschema_rs.Draft202012Validator]) -> None:
        self._compile = compile_schema
        self._compiled: jsonschema_rs.Draft202012Validator | None = None
        self.is_valid = self._compile_and_validate

    def compile(self) -> jsonschema_rs.Draft202012Validator:
        """Return the compiled validator. Raises ContractError for an invalid schema."""
        if self._compiled is None:
            # Two threads that come here together compile the schema twice, to the same effect.
            self._compiled = self._compile()
            self.is_valid = self._compiled.is_valid
        return self._compiled

    def errors(self, value: Any, limit: int = 50) -> list[tuple[str, str, str]]:
        """Return pointer, detail and code of at most *limit* errors. The code is the keyword. No value is quoted."""
        errors: dict[tuple[str, str, str], None] = {}
        unevaluated: dict[tuple[str, str, str], None] = {}
        for error in self.compile().iter_errors(value):
            # An invalid property is also unevaluated, so these errors count only if there are no others.
            is_unevaluated = isinstance(error.kind, jsonschema_rs.ValidationErrorKind.UnevaluatedProperties)
            (unevaluated if is_unevaluated else errors).update(dict.fromkeys(_describe(error)))
            if len(errors) >= limit:
                break
        return list(errors or unevaluated)[:limit]

    def _compile_and_validate(self, value: Any) -> bool:
        return self.compile().is_valid(value)


CompiledSchemas = MutableMapping[bytes, jsonschema_rs.Draft202012Validator]
"""Compiled validators by the digest of their schema."""


class JsonSchemas:
    """The schemas of one document. Each has one validator for each direction, and equal ones are compiled once."""

    def __init__(self, document: Document, shared: CompiledSchemas | None = None) -> None:
        """*shared* has the compiled validators of other documents, and gets those of this one."""
        self.document = document
        self._views = {direction: SchemaViews(document, direction) for direction in HIDDEN_BY}
        self._compiled: CompiledSchemas = {} if shared is None else shared
        # Validators are compiled at their first use, which can be in several threads at the same time.
        self._lock = Lock()
        self._validators: dict[tuple[Direction, str | int], tuple[Any, Validator]] = {}
        """Validators by direction and by reference or id. The schema is stored, too, so that its id stays unique."""
        self._merged: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._alternatives: dict[int, tuple[Any, list[Any]]] = {}
        """Merged schemas and alternatives by id of their schema, which is stored for the same reason."""
        self._secrets: dict[str, bool] = {}

    def validator(self, schema: Any, direction: Direction) -> Validator:
        """Return the validator of *schema* for one direction.

        Read-only properties are not part of a request, and write-only properties are not part of a response.
        """
        # Most schemas are references to components, or are within components that many operations share.
        key = (direction, _reference(schema) or id(schema))
        if key not in self._validators:
            self._validators[key] = schema, Validator(partial(self._compile, schema, direction))
        return self._validators[key][1]

    def compile(self) -> None:
        """Compile all validators that were asked for. Raises ContractError for an invalid schema."""
        for _, validator in self._validators.values():
            validator.compile()

    def view(self, schema: Any, direction: Direction) -> Any:
        """Return the view of *schema* for one direction: see `SchemaViews`."""
        with self._lock:
            return self._views[direction].view(schema)

    def target(self, reference: str, direction: Direction) -> Any:
        """Return the view to which the `$ref` of another view for *direction* refers."""
        return self._views[direction].target(reference)

    def view_validator(self, view: Any, direction: Direction) -> Validator:
        """Return the validator of a view for *direction*, which is compiled. The caller stores it."""
        validator = Validator(lambda: self._compile_view(self._views[direction].complete(view), None))
        validator.compile()
        return validator

    def _compile(self, schema: Any, direction: Direction) -> jsonschema_rs.Draft202012Validator:
        return self._compile_view(self._views[direction].complete(self.view(schema, direction)), schema)

    def _compile_view(self, view: Any, schema: Any) -> jsonschema_rs.Draft202012Validator:
        digest = blake2b(repr(view).encode(), digest_size=16).digest()
        if digest not in self._compiled:
            try:
                self._compiled[digest] = jsonschema_rs.Draft202012Validator(
                    view, validate_formats=True, mask="The value"
                )
            except ValueError as error:
                message = f"invalid schema; correct it as JSON Schema says: {str(error).splitlines()[0]}"
                raise error_at(schema, message) from None
        return self._compiled[digest]

    def merge(self, schema: Any) -> dict[str, Any]:
        """
        Return *schema* merged with the schemas that apply to the same values, such as the target of its `$ref`.

        The properties of all parts are there, each with all that the parts say of it. Of other keywords that several
        parts have, the last one counts, and the others are in `allOf`.
        """
        if not isinstance(schema, dict):
            return {"not": {}} if schema is False else {}
        if id(schema) not in self._merged:
            self._merged[id(schema)] = schema, self._merge(schema)
        return self._merged[id(schema)][1]

    def _merge(self, schema: dict[str, Any]) -> dict[str, Any]:
        parts = conjuncts(self.document, schema)
        if not parts:
            return schema
        merged: dict[str, Any] = {}
        others: list[Any] = []
        own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        for keyword in ("anyOf", "oneOf"):
            if len(possible(own.get(keyword, ()))) == 1:
                del own[keyword]
        for part in [*map(self.merge, parts), own]:
            for group in _GROUPS:
                if not group.isdisjoint(part):
                    others += [{key: merged.pop(key) for key in group & merged.keys()}]
            others += part.get("allOf", ())
            others += _add(merged, {key: value for key, value in part.items() if key != "allOf"})
        if any(others):
            merged["allOf"] = [other for other in others if other != {}]
        return merged

    def is_hidden(self, schema: Any, direction: Direction) -> bool:
        """Return whether a member of *schema* is not part of requests (`readOnly`) or of responses (`writeOnly`)."""
        return self._views[direction].hides(schema)

    def alternatives(self, schema: Any) -> list[Any]:
        """Return the alternatives of *schema* (`anyOf`, `oneOf`) other than null; *schema* itself if it has none.

        What the schema says beside its alternatives is part of each.
        """
        if not isinstance(schema, dict):
            return []
        if id(schema) not in self._alternatives:
            self._alternatives[id(schema)] = schema, self._find_alternatives(schema)
        return self._alternatives[id(schema)][1]

    def _find_alternatives(self, schema: dict[str, Any]) -> list[Any]:
        merged = self.merge(schema)
        for keyword in ("anyOf", "oneOf"):
            if keyword in merged:
                choices = [choice for choice in possible(merged[keyword]) if self.types(choice) != ["null"]]
                beside = {key: value for key, value in merged.items() if key != keyword}
                if beside.keys() <= ANNOTATIONS | {"type"}:
                    return choices
                # The component of an alternative keeps its name.
                return [
                    {**choice, **beside} if _reference(choice) else {"allOf": [beside, choice]} for choice in choices
                ]
        return [schema]

    def types(self, schema: Any) -> list[str]:
        """Return the JSON types of the values of *schema*, including `null`. An empty list means any type."""
        schema = self.merge(schema)
        declared = schema.get("type")
        if declared is not None:
            return [declared] if isinstance(declared, str) else list(declared)
        values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        types = [_type_name(value) for value in values]
        if not types:
            for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
                types += self.types(choice)
        return list(dict.fromkeys(types))

    def contains_secret(self, schema: Any) -> bool:
        """Return whether a response of *schema* can contain a value of `format: password`."""
        name = _reference(schema)
        if name is None:
            return self._has_secret(schema)
        if name not in self._secrets:
            self._secrets[name] = self._has_secret(schema)
        return self._secrets[name]

    def _has_secret(self, schema: Any) -> bool:
        seen: set[str] = set()

        def has_secret(node: Any) -> bool:
            if not isinstance(node, dict) or node.get("writeOnly") is True:
                return False
            if node.get("format") == "password":
                return True
            parts = [part for _, part in subschemas(node)]
            if "$ref" in node and node["$ref"] not in seen:
                seen.add(node["$ref"])
                parts.append(self.document.lookup(node))
            return any(map(has_secret, parts))

        return has_secret(schema)


def pointer(path: Sequence[str | int]) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _reference(schema: Any) -> str | None:
    """Return the `$ref` of *schema* if it has no other keyword, otherwise None."""
    if isinstance(schema, dict) and len(schema) == 1 and isinstance(schema.get("$ref"), str):
        return str(schema["$ref"])
    return None


def _type_name(value: Any) -> str:
    # A bool of Python is also an int, so it comes first.
    types: list[tuple[type, str]] = [
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    ]
    return next((name for kind, name in types if isinstance(value, kind)), "null")


def _add(merged: dict[str, Any], part: dict[str, Any]) -> list[Any]:
    """Add the keywords of *part* to *merged*, and return the schemas that *merged* does not include."""
    others: list[Any] = []
    for key, value in part.items():
        if key in merged and merged[key] != value and key not in _DESCRIPTIONS:
            merged[key], rest = _combine(key, merged[key], value)
            others += rest
        else:
            merged[key] = value
    return others


def _combine(key: str, one: Any, other: Any) -> tuple[Any, list[Any]]:
    """Return the value of the keyword *key* that two schemas have, and the schemas that it does not include."""
    match key:
        case "properties":
            members = {name: _both(one[name], member) if name in one else member for name, member in other.items()}
            return {**one, **members}, []
        case "required":
            return [*one, *(name for name in other if name not in one)], []
        case "type" if types := _common_types(one, other):
            return types, []
        case "readOnly" | "writeOnly":
            return one or other, []
        case "items" | "additionalProperties":
            return _both(one, other), []
    return other, [{key: one}]


def _both(one: Any, other: Any) -> Any:
    """Return a schema of the values that match two schemas."""
    if one == other or other is True:
        return one
    if one is True:
        return other
    if isinstance(one, dict) and isinstance(other, dict) and not min(one.keys(), other.keys(), key=len) - _DESCRIPTIONS:
        return {**one, **other}
    return {"allOf": [one, other]}


def _common_types(one: Any, other: Any) -> list[str]:
    types, others = ([value] if isinstance(value, str) else list(value) for value in (one, other))
    common = [kind for kind in types if kind in others or (kind == "integer" and "number" in others)]
    return common + (["integer"] if "integer" in others and "number" in types and "integer" not in common else [])


def _describe(error: jsonschema_rs.ValidationError) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, detail and code of *error*. The pointer is that of the property, not of the object around it."""
    path, kind = list(error.instance_path), error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            yield pointer([*path, name]), "The property is required.", "required"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(names):
            for name in names:
                yield pointer([*path, name]), "Unknown property.", "additionalProperties"
        case jsonschema_rs.ValidationErrorKind.UnevaluatedProperties(names):
            for name in names:
                yield pointer([*path, name]), "Unknown property.", "additionalProperties"
        case jsonschema_rs.ValidationErrorKind.Not(schema) if schema == HIDDEN_MEMBER["not"]:
            yield pointer(path), "Unknown property.", "additionalProperties"
        case jsonschema_rs.ValidationErrorKind.FalseSchema():
            yield pointer(path), "No value is allowed here.", "false"
        case _:
            yield pointer(path), error.message[:300] + ".", kind.name
