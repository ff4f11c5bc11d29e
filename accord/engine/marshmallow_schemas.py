"""Marshmallow schemas, derived from the object schemas of the contract, so that a field is written once, in YAML."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any
from uuid import UUID

from marshmallow import INCLUDE, Schema, ValidationError, fields, missing

from accord.contract.document import component_name
from accord.contract.json_schemas import JsonSchemas, pointer

Deserialize = Callable[[Any], Any]


class Representation(Schema):
    """A marshmallow schema derived from an object schema of the contract."""

    component: str | None = None
    required: frozenset[str] = frozenset()
    """The properties that the contract requires."""
    minimal: frozenset[str] = frozenset()
    """The properties that every alternative requires. Sparse fieldsets cannot omit them."""
    allows_extra: bool = False
    """Whether the contract allows properties that it does not name (`additionalProperties`, `patternProperties`)."""
    has_links: bool = False

    class Meta:
        unknown = INCLUDE


class DecimalString(fields.Decimal):
    """A decimal number, in JSON a string without an exponent: `type: string, format: decimal`."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else decimal_text(value)


class UriReference(fields.String):
    """A URL without a host: `type: string, format: uri-reference`."""


class UtcDateTime(fields.AwareDateTime):
    """A date and time in UTC: `type: string, format: date-time`, written with `Z` (RFC 3339)."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("The date and time is out of range.") from None


class Integer(fields.Integer):
    """An integer. JSON can write it as `2.0`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        return int(value)


_STRING_FIELDS: dict[str, Callable[..., fields.Field[Any]]] = {
    "date": fields.Date,
    "date-time": UtcDateTime,
    "uuid": fields.UUID,
    "decimal": DecimalString,
    "uri-reference": UriReference,
}
_FIELDS_BY_TYPE: dict[str, Callable[..., fields.Field[Any]]] = {
    "integer": Integer,
    "boolean": fields.Boolean,
    "number": fields.Float,
    "string": fields.String,
}
_CONVERTED = ("type", "format", "items", "prefixItems", "additionalProperties", "properties")
"""The keywords on which the conversion of a value depends."""
EXACT = (fields.Boolean, fields.Date, fields.String, fields.UUID, Integer)
"""The fields whose equal values are the same, unlike the decimals 1.0 and 1.00."""
_UNCHANGED = (fields.Boolean, fields.String, UriReference, fields.Raw, fields.Float)


class MarshmallowSchemas:
    """The marshmallow schemas of the object schemas of a document. Each is created at its first use."""

    def __init__(self, schemas: JsonSchemas) -> None:
        self.schemas = schemas
        self._representations: dict[Any, tuple[list[Any], type[Representation]]] = {}
        """Alternatives and representation, by component or by the ids of the alternatives."""

    def for_schema(self, schema: Any) -> type[Representation] | None:
        """Return the marshmallow schema of an object schema with properties; None for any other schema.

        Alternatives (`anyOf`, `oneOf`) with the same properties share the schema of the first alternative, which is
        the one that handlers return. Other alternatives have no marshmallow schema.
        """
        shapes = self._shapes(schema)
        if not shapes:
            return None
        choices = self.schemas.alternatives(schema)
        key = tuple(component_name(choice) if len(choice) == 1 else id(choice) for choice in choices)
        if key not in self._representations:
            required = [frozenset(shape.get("required", ())) for shape in shapes]
            name = component_name(choices[0]) or component_name(schema)
            self._representations[key] = choices, self._derive(name, shapes[0], required)
        return self._representations[key][1]

    def deserializer(self, schema: Any) -> Deserialize | None:
        """Return a function that turns a valid JSON value into Python values; None if they are the same.

        The function raises marshmallow.ValidationError, with messages by property, for a value that has no Python
        value, such as a leap second.
        """
        return _deserializer(self.field(schema))

    def conversion_errors(self, schema: Any, body: Any) -> list[tuple[str, str]]:
        """Return pointer and detail of each property of a valid *body* that has no Python value."""

        def walk(messages: Any, path: str) -> Iterator[tuple[str, str]]:
            if isinstance(messages, dict):
                for name, inner in messages.items():
                    yield from walk(inner, path + pointer([name]))
            else:
                yield path, str(messages[0])

        try:
            self.field(schema).deserialize(body)
        except ValidationError as error:
            return list(walk(error.messages, ""))
        return [("", "The value is out of range.")]

    def _shapes(self, schema: Any) -> list[dict[str, Any]]:
        shapes = [self.schemas.merge(choice) for choice in self.schemas.alternatives(schema)]
        members = [self._conditional_members(shape) | shape.get("properties", {}) for shape in shapes]
        have_same_members = all(properties and properties == members[0] for properties in members)
        if not have_same_members:
            return []
        return [{**shape, "properties": properties} for shape, properties in zip(shapes, members, strict=True)]

    def _conditional_members(self, shape: dict[str, Any]) -> dict[str, Any]:
        """Return the properties that *shape* has under a condition. Their values are passed through unchanged."""
        parts = [shape[word] for word in ("if", "then", "else") if word in shape]
        parts += [*shape.get("dependentSchemas", {}).values(), *shape.get("allOf", ())]
        members: dict[str, Any] = {}
        for part in parts:
            for choice in self.schemas.alternatives(part):
                merged = self.schemas.merge(choice)
                for name, member in merged.get("properties", {}).items():
                    hidden = {word: True for word in ("readOnly", "writeOnly") if self.schemas.merge(member).get(word)}
                    members[name] = members.get(name, {}) | hidden
                members |= self._conditional_members(merged)
        return members

    def _derive(self, name: str | None, shape: dict[str, Any], required: list[frozenset[str]]) -> type[Representation]:
        members = {
            member: self.field(schema, member in required[0])
            for member, schema in shape["properties"].items()
            if member != "_links"
        }
        representation: type[Representation] = type(re.sub(r"\W", "_", name or "Inline"), (Representation,), members)
        # These attributes are set last, because a property can have the same name. Marshmallow has moved it by now.
        representation.component = name
        representation.required = required[0]
        representation.minimal = frozenset.intersection(*required)
        representation.allows_extra = "patternProperties" in shape or any(
            shape.get(word, False) is not False for word in ("additionalProperties", "unevaluatedProperties")
        )
        representation.has_links = "_links" in shape["properties"]
        return representation

    def field(self, schema: Any, required: bool = True) -> fields.Field[Any]:
        """Return the marshmallow field of *schema*, as a property that is required or not."""
        merged = self.schemas.merge(schema)
        types = self.schemas.types(schema)
        options: dict[str, Any] = {"required": required, "allow_none": "null" in types or not types}
        is_read_only = self.schemas.is_hidden(schema, "request")
        if is_read_only:
            options |= {"dump_only": True, "required": False}
        if self.schemas.is_hidden(schema, "response"):
            options |= {"load_only": True}
        if "default" in merged and not is_read_only:
            options |= {"load_default": merged["default"], "required": False}
        choices = self.schemas.alternatives(schema)
        types = [kind for kind in types if kind != "null"]
        if types == ["object"] and self._shapes(schema):
            return fields.Nested(lambda: self._nested(schema), **options)
        inners = [self.schemas.merge(choice) for choice in choices]
        if (
            len(types) != 1
            or not inners
            or any(inner.get(word) != inners[0].get(word) for inner in inners for word in _CONVERTED)
        ):
            return fields.Raw(**options)
        inner = inners[0]
        if types == ["array"] and "prefixItems" not in inner:
            return fields.List(self.field(inner.get("items", True), required=True), **options)
        if types == ["string"] and inner.get("format") in _STRING_FIELDS:
            return _STRING_FIELDS[inner["format"]](**options)
        if types == ["object"] and isinstance(inner.get("additionalProperties"), dict):
            return fields.Dict(values=self.field(inner["additionalProperties"], required=True), **options)
        return _FIELDS_BY_TYPE.get(types[0], fields.Raw)(**options)

    def _nested(self, schema: Any) -> Representation:
        representation = self.for_schema(schema)
        assert representation is not None
        return representation()


class _Deserializer:
    """Deserializes an object by its properties. It is compiled at its first use, because schemas can be recursive."""

    def __init__(self, field: fields.Nested) -> None:
        self.field = field
        self.deserializers: list[tuple[str, Deserialize]] | None = None
        self.defaults: dict[str, Any] = {}
        self.mutable_defaults: dict[str, Any] = {}

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.deserializers is None:
            self._compile()
        values = {**self.defaults, **body}
        for name, default in self.mutable_defaults.items():
            if name not in body:
                # Handlers can change their arguments, so each request gets values of its own.
                values[name] = deepcopy(default)
        for name, deserialize in self.deserializers or ():
            if name in body:
                values[name] = deserialize(body[name])
        return values

    def _compile(self) -> None:
        members = self.field.schema.load_fields
        deserializers = {name: _deserializer(field) for name, field in members.items()}
        for name, field in members.items():
            if field.load_default is not missing:
                deserialize = deserializers[name]
                default = deserialize(field.load_default) if deserialize else field.load_default
                defaults = self.mutable_defaults if isinstance(default, (dict, list)) else self.defaults
                defaults[name] = default
        self.deserializers = [(name, deserialize) for name, deserialize in deserializers.items() if deserialize]


def decimal_text(value: Decimal | str) -> str:
    """Return *value* as text without an exponent. Text is returned as it is."""
    if isinstance(value, str):
        return value
    text = str(value)
    # `format` takes three times as long.
    return text if type(value) is Decimal and "E" not in text else format(value, "f")


def _deserializer(field: fields.Field[Any]) -> Deserialize | None:
    """Return a function that deserializes a valid value of *field*; None if the value does not change."""
    match field:
        case fields.Nested():
            deserialize: Deserialize | None = _Deserializer(field)
        case fields.List():
            deserialize = _list_deserializer(_deserializer(field.inner))
        case fields.Dict() if field.value_field:
            deserialize = _dict_deserializer(_deserializer(field.value_field))
        case Integer():
            deserialize = int
        case fields.UUID():
            deserialize = UUID
        case DecimalString():
            deserialize = _decimal
        case _ if type(field) in _UNCHANGED:
            deserialize = None
        case _:
            # `deserialize` does the same for a value that is there, and looks for validators, which no field has.
            deserialize = partial(field._deserialize, attr=None, data=None)
    return _nullable(deserialize) if deserialize and field.allow_none else deserialize


def _decimal(value: str) -> Decimal:
    """Return the number in *value*; raises ValidationError for text that is no finite number."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValidationError("Not a valid number.") from None
    if not number.is_finite():
        raise ValidationError("Special numeric values (nan or infinity) are not permitted.")
    return number


def _list_deserializer(deserialize: Deserialize | None) -> Deserialize | None:
    if deserialize is None:
        return None
    return lambda values: [deserialize(value) for value in values]


def _dict_deserializer(deserialize: Deserialize | None) -> Deserialize | None:
    if deserialize is None:
        return None
    return lambda values: {name: deserialize(value) for name, value in values.items()}


def _nullable(deserialize: Deserialize) -> Deserialize:
    return lambda value: None if value is None else deserialize(value)
