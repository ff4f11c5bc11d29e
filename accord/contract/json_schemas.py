"""JSON Schema validators, compiled from the schemas of the contract for requests and for responses."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import jsonschema_rs

from accord.contract.document import Document
from accord.contract.errors import error_at

Direction = Literal["request", "response"]

NAMES = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
"""Keywords whose members are schemas by name."""
VALUES = frozenset({"enum", "const", "default", "example", "examples"})
"""Keywords with values, in which there are no schemas."""

_HIDDEN = {"request": "readOnly", "response": "writeOnly"}
# The constraints that a format or a type implies: integers of 32 and 64 bits, and decimals as text.
_IMPLIED: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "integer": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "decimal": {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
}


class Validator:
    """Validates JSON values against one schema."""

    __slots__ = ("_validator",)

    def __init__(self, validator: jsonschema_rs.Draft202012Validator) -> None:
        self._validator = validator

    def is_valid(self, value: Any) -> bool:
        return self._validator.is_valid(value)

    def errors(self, value: Any, limit: int = 50) -> list[tuple[str, str, str]]:
        """Return pointer, detail and code of at most *limit* errors. The code is the keyword. No value is quoted."""
        errors: list[tuple[str, str, str]] = []
        for error in self._validator.iter_errors(value):
            errors += _describe(error)
            if len(errors) >= limit:
                break
        return errors[:limit]


class JsonSchemas:
    """The schemas of one document. Each is compiled once, and references to a component share its validator."""

    def __init__(self, document: Document) -> None:
        self.document = document
        components = document.raw.get("components", {}).get("schemas", {})
        self._registry = jsonschema_rs.Registry(
            [
                (f"urn:{direction}", {"components": {"schemas": self._view(direction, components, names=True)}})
                for direction in ("request", "response")
            ]
        )
        self._validators: dict[tuple[Direction, str | int], tuple[Any, Validator]] = {}
        """Validators by direction and by reference or id. The schema is stored, too, so that its id stays unique."""
        self._secrets: dict[str, bool] = {}

    def validator(self, schema: Any, direction: Direction) -> Validator:
        """Return the validator of *schema* for one direction.

        Read-only properties are not part of a request, and write-only properties are not part of a response.
        Raises ContractError for an invalid schema.
        """
        # Most schemas are references to components, or are within components that many operations share.
        key = (direction, _reference(schema) or id(schema))
        if key not in self._validators:
            self._validators[key] = (schema, self._compile(schema, direction))
        return self._validators[key][1]

    def _compile(self, schema: Any, direction: Direction) -> Validator:
        view = self._view(direction, schema)
        try:
            validator = jsonschema_rs.Draft202012Validator(
                view, validate_formats=True, registry=self._registry, mask="The value"
            )
        except ValueError as error:
            message = f"invalid schema; correct it as JSON Schema says: {str(error).splitlines()[0]}"
            raise error_at(schema, message) from None
        return Validator(validator)

    def merge(self, schema: Any) -> dict[str, Any]:
        """Return *schema* merged with the target of its `$ref` and with the parts of its `allOf`."""
        if not isinstance(schema, dict):
            return {}
        parts = [*([self.document.lookup(schema)] if "$ref" in schema else ()), *schema.get("allOf", ())]
        if not parts:
            return schema
        merged: dict[str, Any] = {}
        for part in [*parts, {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}]:
            for key, value in self.merge(part).items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, ()), *(name for name in value if name not in merged.get(key, ()))]
                else:
                    merged[key] = value
        return merged

    def alternatives(self, schema: Any) -> list[Any]:
        """Return the alternatives of *schema* (`anyOf`, `oneOf`) other than null; *schema* itself if it has none."""
        resolved = self.document.resolve(schema)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(resolved, dict) and keyword in resolved:
                return [choice for choice in resolved[keyword] if self.types(choice) != ["null"]]
        return [schema] if isinstance(schema, dict) else []

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
            match node:
                case {"writeOnly": True}:
                    return False
                case {"format": "password"}:
                    return True
                case {"$ref": str(name)} if name not in seen:
                    seen.add(name)
                    return has_secret(self.document.lookup(node)) or has_secret(list(node.values()))
                case dict():
                    return any(has_secret(value) for key, value in node.items() if key not in VALUES)
                case list():
                    return any(map(has_secret, node))
            return False

        return has_secret(schema)

    def _view(self, direction: str, node: Any, names: bool = False) -> Any:
        """Return *node* without hidden properties and with the constraints of formats.

        *names* says that the members of *node* are schemas by name.
        """
        match node:
            case dict() if names:
                return {name: self._view(direction, schema) for name, schema in node.items()}
            case dict():
                view = {
                    key: value if key in VALUES else self._view(direction, value, key in NAMES)
                    for key, value in node.items()
                }
                if isinstance(view.get("$ref"), str) and view["$ref"].startswith("#/"):
                    view["$ref"] = f"urn:{direction}{view['$ref']}"
                if "properties" in view:
                    hidden = {name for name, schema in node["properties"].items() if self._hides(direction, schema)}
                    view["properties"] = {n: s for n, s in view["properties"].items() if n not in hidden}
                    if "required" in view:
                        view["required"] = [name for name in view["required"] if name not in hidden]
                types = [kind for kind in self.types(node) if kind != "null"] if "type" in node else []
                for word in (view.get("format"), *(types if types == ["integer"] else ())):
                    for key, value in _IMPLIED.get(str(word), {}).items():
                        view.setdefault(key, value)
                return view
            case list():
                return [self._view(direction, item) for item in node]
        return node

    def _hides(self, direction: str, schema: Any) -> bool:
        return bool(self.merge(schema).get(_HIDDEN[direction]))


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


def _describe(error: jsonschema_rs.ValidationError) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, detail and code of *error*. The pointer is that of the property, not of the object around it."""
    path, kind = list(error.instance_path), error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            yield pointer([*path, name]), "The property is required.", "required"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(names):
            for name in names:
                yield pointer([*path, name]), "Unknown property.", "additionalProperties"
        case jsonschema_rs.ValidationErrorKind.FalseSchema():
            yield pointer(path), "No value is allowed here.", "false"
        case _:
            yield pointer(path), error.message[:300] + ".", kind.name
