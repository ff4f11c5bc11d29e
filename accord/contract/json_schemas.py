"""Validators made from the schemas of the contract, as the request or the response sees them."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import jsonschema_rs

from accord.contract.document import Document
from accord.contract.errors import error_at

Direction = Literal["request", "response"]

NAMES = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
VALUES = frozenset({"enum", "const", "default", "example", "examples"})

_HIDDEN = {"request": "readOnly", "response": "writeOnly"}
_IMPLIED: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "integer": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "decimal": {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
}


class Validator:
    """Decides whether a JSON value is as a schema says, and tells what is not."""

    __slots__ = ("_validator",)

    def __init__(self, validator: jsonschema_rs.Draft202012Validator) -> None:
        self._validator = validator

    def is_valid(self, value: Any) -> bool:
        return self._validator.is_valid(value)

    def errors(self, value: Any, limit: int = 50) -> list[tuple[str, str, str]]:
        """Return pointer, detail and code (the keyword that says so) of at most *most* faults; no value is quoted."""
        found: list[tuple[str, str, str]] = []
        for error in self._validator.iter_errors(value):
            found += _describe(error)
            if len(found) >= limit:
                break
        return found[:limit]


class JsonSchemas:
    """The schemas of one document; they are compiled once, and components are shared by name."""

    def __init__(self, document: Document) -> None:
        self.document = document
        components = document.raw.get("components", {}).get("schemas", {})
        self._registry = jsonschema_rs.Registry(
            [
                (f"urn:{side}", {"components": {"schemas": self._view(side, components, names=True)}})
                for side in ("request", "response")
            ]
        )
        self._validators: dict[tuple[Direction, str | int], tuple[Any, Validator]] = {}
        """With the schema of each, so that the id of none is given to another one."""
        self._secrets: dict[str, bool] = {}

    def validator(self, schema: Any, direction: Direction) -> Validator:
        """Return the validator of *schema* as *side* sees it: what is read-only is no part of a request,
        what is write-only no part of a response. Raises ContractError if it is no schema.
        """
        # Most schemas are references to components, or stand in components that many operations share.
        key = (direction, _reference(schema) or id(schema))
        if key not in self._validators:
            self._validators[key] = (schema, self._compiled(schema, direction))
        return self._validators[key][1]

    def _compiled(self, schema: Any, side: Direction) -> Validator:
        seen = self._view(side, schema)
        try:
            made = jsonschema_rs.Draft202012Validator(
                seen, validate_formats=True, registry=self._registry, mask="The value"
            )
        except ValueError as error:
            raise error_at(schema, f"not a schema: {str(error).splitlines()[0]}") from None
        return Validator(made)

    def merged(self, schema: Any) -> dict[str, Any]:
        """Return *schema* with what it refers to, and its `allOf`, merged into it."""
        if not isinstance(schema, dict):
            return {}
        parts = [*([self.document.lookup(schema)] if "$ref" in schema else ()), *schema.get("allOf", ())]
        if not parts:
            return schema
        merged: dict[str, Any] = {}
        for part in [*parts, {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}]:
            for key, value in self.merged(part).items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, ()), *(name for name in value if name not in merged.get(key, ()))]
                else:
                    merged[key] = value
        return merged

    def alternatives(self, schema: Any) -> list[Any]:
        """Return the alternatives of *schema* (`anyOf`, `oneOf`) that are not null; itself if it has none."""
        followed = self.document.resolve(schema)
        for word in ("anyOf", "oneOf"):
            if isinstance(followed, dict) and word in followed:
                return [choice for choice in followed[word] if self.types(choice) != ["null"]]
        return [schema] if isinstance(schema, dict) else []

    def types(self, schema: Any) -> list[str]:
        """Return the types that a value of *schema* can have, `null` among them; empty means any."""
        schema = self.merged(schema)
        declared = schema.get("type")
        if declared is not None:
            return [declared] if isinstance(declared, str) else list(declared)
        values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        choices = [
            kind for word in ("anyOf", "oneOf") for choice in schema.get(word, ()) for kind in self.types(choice)
        ]
        return list(dict.fromkeys([_type_name(value) for value in values] or choices))

    def contains_secret(self, schema: Any) -> bool:
        """Return whether a response of *schema* can have something of `format: password` in it."""
        name = _reference(schema)
        if name is None:
            return self._tells_secret(schema)
        if name not in self._secrets:
            self._secrets[name] = self._tells_secret(schema)
        return self._secrets[name]

    def _tells_secret(self, schema: Any) -> bool:
        followed: set[str] = set()

        def tells(node: Any) -> bool:
            match node:
                case {"writeOnly": True}:
                    return False
                case {"format": "password"}:
                    return True
                case {"$ref": str(name)} if name not in followed:
                    followed.add(name)
                    return tells(self.document.lookup(node)) or tells(list(node.values()))
                case dict():
                    return any(tells(value) for key, value in node.items() if key not in VALUES)
                case list():
                    return any(map(tells, node))
            return False

        return tells(schema)

    def _view(self, direction: str, node: Any, names: bool = False) -> Any:
        match node:
            case dict() if names:
                return {name: self._view(direction, schema) for name, schema in node.items()}
            case dict():
                seen = {
                    key: value if key in VALUES else self._view(direction, value, key in NAMES)
                    for key, value in node.items()
                }
                if isinstance(seen.get("$ref"), str) and seen["$ref"].startswith("#/"):
                    seen["$ref"] = f"urn:{direction}{seen['$ref']}"
                if "properties" in seen:
                    hidden = {name for name, schema in node["properties"].items() if self._hides(direction, schema)}
                    seen["properties"] = {n: s for n, s in seen["properties"].items() if n not in hidden}
                    if "required" in seen:
                        seen["required"] = [name for name in seen["required"] if name not in hidden]
                kinds = [kind for kind in self.types(node) if kind != "null"] if "type" in node else []
                for word in (seen.get("format"), *(kinds if kinds == ["integer"] else ())):
                    for key, value in _IMPLIED.get(str(word), {}).items():
                        seen.setdefault(key, value)
                return seen
            case list():
                return [self._view(direction, item) for item in node]
        return node

    def _hides(self, direction: str, schema: Any) -> bool:
        return bool(self.merged(schema).get(_HIDDEN[direction]))


def pointer(path: Sequence[str | int]) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _reference(schema: Any) -> str | None:
    """Return what *schema* refers to, if it is a reference and nothing else."""
    if isinstance(schema, dict) and len(schema) == 1 and isinstance(schema.get("$ref"), str):
        return str(schema["$ref"])
    return None


def _type_name(value: Any) -> str:
    kinds: list[tuple[type, str]] = [
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _describe(error: jsonschema_rs.ValidationError) -> Iterator[tuple[str, str, str]]:
    """Yield what *error* says, at the member that is at fault and not at the object around it."""
    path, kind = list(error.instance_path), error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            yield pointer([*path, name]), "This member is required.", "required"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(names):
            for name in names:
                yield pointer([*path, name]), "This member is not known here.", "additionalProperties"
        case jsonschema_rs.ValidationErrorKind.FalseSchema():
            yield pointer(path), "This is not allowed here.", "false"
        case _:
            yield pointer(path), error.message[:300] + ".", kind.name
