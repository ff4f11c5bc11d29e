"""The shapes of the contract as marshmallow schemas: a field is written once, in YAML."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, missing

from accord.contract.document import component_name
from accord.contract.json_schemas import JsonSchemas, pointer

Deserialize = Callable[[Any], Any]


class Representation(Schema):
    """A marshmallow schema derived from an object schema of the contract."""

    component: str | None = None
    required: frozenset[str] = frozenset()
    """The members that the contract requires."""
    minimal: frozenset[str] = frozenset()
    """The members that it requires in every alternative: what sparse fields cannot leave out."""
    allows_extra: bool = False
    """Whether the contract speaks of members that it does not name, so that they are shown, too."""
    has_links: bool = False

    class Meta:
        unknown = INCLUDE


class DecimalString(fields.Decimal):
    """An exact number, in JSON a string without an exponent: `type: string, format: decimal`."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else decimal_text(value)


class UtcDateTime(fields.AwareDateTime):
    """A moment in time, in UTC: `type: string, format: date-time`, written with `Z` (RFC 3339)."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("The value is not a moment that can be kept.") from None


class Integer(fields.Integer):
    """An integer, which JSON may write as `2.0`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        return int(value)


_STRING_FIELDS: dict[str, Callable[..., fields.Field[Any]]] = {
    "date": fields.Date,
    "date-time": UtcDateTime,
    "uuid": fields.UUID,
    "decimal": DecimalString,
}
_FIELDS_BY_TYPE: dict[str, Callable[..., fields.Field[Any]]] = {
    "integer": Integer,
    "boolean": fields.Boolean,
    "number": fields.Float,
    "string": fields.String,
}
_UNCHANGED = (fields.Boolean, fields.String, fields.Raw, fields.Float)


class MarshmallowSchemas:
    """The marshmallow schema of each object schema of a document, made when first asked for."""

    def __init__(self, schemas: JsonSchemas) -> None:
        self.schemas = schemas
        self._by_component: dict[Any, type[Representation]] = {}

    def for_schema(self, schema: Any) -> type[Representation] | None:
        """Return the marshmallow schema of an object schema with properties; None for any other schema.

        Alternatives (`anyOf`, `oneOf`) that have the same members are one shape, the first of
        them: it is what a handler returns. Other alternatives are none.
        """
        shapes = self._shapes(schema)
        if not shapes:
            return None
        choices = self.schemas.alternatives(schema)
        key = tuple(component_name(choice) or id(choice) for choice in choices)
        if key not in self._by_component:
            required = [frozenset(shape.get("required", ())) for shape in shapes]
            self._by_component[key] = self._make(component_name(choices[0]), shapes[0], required)
        return self._by_component[key]

    def deserializer(self, schema: Any) -> Deserialize | None:
        """Return what turns a checked JSON value into Python values; None if they are the same.

        It raises marshmallow.ValidationError, whose messages are keyed by member, for a value
        that no Python value can stand for, such as a leap second.
        """
        return _step(self.field(schema))

    def conversion_errors(self, schema: Any, body: Any) -> list[tuple[str, str]]:
        """Return pointer and detail of each member of a valid *body* that no Python value can stand for."""

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
        return [("", "The value is not one that can be kept.")]

    def _shapes(self, schema: Any) -> list[dict[str, Any]]:
        shapes = [self.schemas.merged(choice) for choice in self.schemas.alternatives(schema)]
        members = [shape.get("properties") for shape in shapes]
        return shapes if all(named and named == members[0] for named in members) else []

    def _make(self, name: str | None, shape: dict[str, Any], required: list[frozenset[str]]) -> type[Representation]:
        members = {
            member: self.field(schema, member in required[0])
            for member, schema in shape["properties"].items()
            if member != "_links"
        }
        made: type[Representation] = type(re.sub(r"\W", "_", name or "Inline"), (Representation,), members)
        # Set last: marshmallow has taken the members away by now, and one may have the name of any of these.
        made.component, made.required, made.minimal = name, required[0], frozenset.intersection(*required)
        made.allows_extra = shape.get("additionalProperties", False) is not False or "patternProperties" in shape
        made.has_links = "_links" in shape["properties"]
        return made

    def field(self, schema: Any, required: bool = True) -> fields.Field[Any]:
        flat, kinds = self.schemas.merged(schema), self.schemas.types(schema)
        options: dict[str, Any] = {"required": required, "allow_none": "null" in kinds or not kinds}
        if flat.get("readOnly"):
            options |= {"dump_only": True, "required": False}
        if flat.get("writeOnly"):
            options |= {"load_only": True}
        if "default" in flat and not flat.get("readOnly"):
            options |= {"load_default": flat["default"], "required": False}
        choices, known = self.schemas.alternatives(schema), [kind for kind in kinds if kind != "null"]
        if known == ["object"] and self._shapes(schema):
            return fields.Nested(lambda: self._nested(schema), **options)
        if len(known) != 1 or len(choices) != 1:
            return fields.Raw(**options)
        inner = self.schemas.merged(choices[0])
        form = inner.get("format")
        if known == ["array"] and "prefixItems" not in inner:
            return fields.List(self.field(inner.get("items", True), required=True), **options)
        if known == ["string"] and form in _STRING_FIELDS:
            return _STRING_FIELDS[form](**options)
        if known == ["object"] and isinstance(inner.get("additionalProperties"), dict):
            return fields.Dict(values=self.field(inner["additionalProperties"], required=True), **options)
        return _FIELDS_BY_TYPE.get(known[0], fields.Raw)(**options)

    def _nested(self, schema: Any) -> Representation:
        made = self.for_schema(schema)
        assert made is not None
        return made()


class _Deserializer:
    """Loads an object member by member; compiled at its first use, because shapes may hold each other."""

    def __init__(self, field: fields.Nested) -> None:
        self.field = field
        self.steps: list[tuple[str, Deserialize]] | None = None
        self.defaults: dict[str, Any] = {}

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.steps is None:
            self._compile()
        values = {**deepcopy(self.defaults), **body} if self.defaults else dict(body)
        for name, step in self.steps or ():
            if name in body:
                values[name] = step(body[name])
        return values

    def _compile(self) -> None:
        members = self.field.schema.load_fields
        steps = {name: _step(field) for name, field in members.items()}
        for name, field in members.items():
            if field.load_default is not missing:
                step, default = steps[name], field.load_default
                self.defaults[name] = step(default) if step else default
        self.steps = [(name, step) for name, step in steps.items() if step]


def decimal_text(value: Decimal | str) -> str:
    """Return the digits of a number; those of text as they are."""
    return value if isinstance(value, str) else format(value, "f")


def _step(field: fields.Field[Any]) -> Deserialize | None:
    """Return what *field* does to a checked value when it loads; None if it does nothing."""
    match field:
        case fields.Nested():
            step: Deserialize | None = _Deserializer(field)
        case fields.List():
            step = _each(_step(field.inner))
        case fields.Dict() if field.value_field:
            step = _each_value(_step(field.value_field))
        case Integer():
            step = int
        case _ if type(field) in _UNCHANGED:
            step = None
        case _:
            step = field.deserialize
    return _unless_null(step) if step and field.allow_none else step


def _each(step: Deserialize | None) -> Deserialize | None:
    return step and (lambda values: [step(value) for value in values])


def _each_value(step: Deserialize | None) -> Deserialize | None:
    return step and (lambda values: {name: step(value) for name, value in values.items()})


def _unless_null(step: Deserialize) -> Deserialize:
    return lambda value: None if value is None else step(value)
