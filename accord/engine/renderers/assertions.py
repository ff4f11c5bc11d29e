"""Assertions: the keywords of a response schema, as Python conditions on the values that a serializer reads."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from marshmallow import fields

from accord.contract.json_schemas import JsonSchemas, Validator
from accord.contract.keywords import KEYWORDS
from accord.engine.marshmallow_schemas import DecimalString, Integer, UriReference, UtcDateTime

View = Any
"""A schema as responses have it: see `SchemaViews`."""
Views = Sequence[View]
"""The views that all apply to a value."""

_NO_NUL = r"^[^\x00]*$"
_APPLICATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "then", "else"})
_MAX_DEPTH = 30
_NATIVE: dict[type[fields.Field[Any]], tuple[str, str]] = {
    fields.UUID: ("uuid", "isinstance({0}, UUID)"),
    UtcDateTime: ("date-time", "(type({0}) is datetime and {0}.tzinfo is UTC)"),
    fields.Date: ("date", "type({0}) is date"),
}
"""The formats that every value of a Python type has when it is written, and the condition of the type."""
_NUMBERS: dict[type[fields.Field[Any]], tuple[str, str]] = {
    Integer: ("integer", "type({0}) is int"),
    fields.Float: ("number", "(type({0}) is float or type({0}) is int)"),
}


class Unsupported(Exception):
    """The schema has a keyword that is not expressed as a condition. Its responses are validated as a whole."""


class Unproven(ValueError):
    """A value is invalid, or only the validator can tell that it is valid."""


class Assertions:
    """
    Conditions under which a serialized value is valid.

    Each is true for valid values only, but may be false for a valid one. It leaves out what the serializer ensures:
    the type and format of values that it formats, and the names of properties. The methods raise Unsupported.
    """

    def __init__(self, schemas: JsonSchemas) -> None:
        self._schemas = schemas
        self._validators: dict[str, Validator] = {}

    def view(self, schema: Any) -> View:
        return self._schemas.view(schema, "response")

    def accepts_null(self, views: Views) -> bool:
        return self._validator(views).is_valid(None)

    def scalar(
        self, field: fields.Field[Any], value: str, views: Views, namespace: dict[str, Any], expression: str
    ) -> tuple[str, str]:
        """
        Return the condition and the expression of a scalar.

        *value* is the name of a variable, and *expression* what `field` makes of it. *namespace* gets the validators.
        """
        text = f"{value}_text"
        match field:
            case _ if type(field) in _NATIVE and self._is_native(views, _NATIVE[type(field)][0]):
                return _NATIVE[type(field)][1].format(value), expression
            case fields.UUID():
                is_valid = self._add_validator(views, namespace)
                return f"(isinstance({value}, UUID) and {is_valid}({text} := str({value})))", text
            case DecimalString():
                # The pattern of the format allows no exponent, so this is what `decimal_text` returns.
                is_valid = self._add_validator(views, namespace)
                return f"(type({value}) is Decimal and {is_valid}({text} := str({value})))", text
            case UriReference() if expression != value:
                is_valid = self._add_validator(views, namespace)
                return f"(type({value}) is str and {is_valid}({text} := {expression}))", text
            case fields.Boolean():
                condition, kind = f"({value} is True or {value} is False)", "boolean"
            case _ if type(field) in _NUMBERS:
                kind, condition = _NUMBERS[type(field)]
                return self._number(condition.format(value), kind, value, views, namespace), expression
            case fields.String():
                return self._string(value, views, namespace), expression
            case _:
                raise Unsupported
        if self._keywords(views, kind) - {"type"}:
            condition = f"({condition} and {self._add_validator(views, namespace)}({value}))"
        return condition, expression

    def texts(self, field: fields.Field[Any], value: str, views: Views, namespace: dict[str, Any]) -> str | None:
        """Return the condition of a list, if its items are strings that are written as they are."""
        if type(field) is not fields.String or field.allow_none:
            return None
        if all(part.get("type") != "string" for part in self.parts(self.items(views))):
            return None
        return f"(type({value}) is list and {self._add_validator(views, namespace)}({value}))"

    def length(self, value: str, views: Views) -> str:
        """Return the condition of the length of the list *value*, whose items have conditions of their own."""
        least, most = 0, None
        for part in self._typed_parts(views, "array"):
            if part.keys() - {"type", "items", "minItems", "maxItems"}:
                raise Unsupported
            least = max(least, part.get("minItems", 0))
            most = min(part.get("maxItems", most), most) if most is not None else part.get("maxItems")
        return f"(type({value}) is list and {_between(f'len({value})', least or None, most)})"

    def items(self, views: Views) -> list[View]:
        """Return the views of the items of a list."""
        return _distinct(part["items"] for part in self.parts(views) if "items" in part)

    def members(self, views: Views, always: Iterable[str], sometimes: Iterable[str]) -> dict[str, list[View]]:
        """Return the views of each property of an object that has *always*, and may have *sometimes*, as properties."""
        present = frozenset(always)
        members: dict[str, list[View]] = {name: [] for name in [*always, *sometimes]}
        for part in self._typed_parts(views, "object"):
            if part.keys() - {"type", "properties", "required", "additionalProperties"}:
                raise Unsupported
            if not present.issuperset(part.get("required", ())):
                raise Unsupported
            others = part.get("additionalProperties", True)
            for name, member in members.items():
                view = part.get("properties", {}).get(name, others)
                if view is False:
                    raise Unsupported
                member.append(view)
        return {name: _distinct(member) for name, member in members.items()}

    def links(self, views: Views, names: Sequence[str]) -> int | None:
        """Return the maximum length of the links *names* in `_links`, whose schema consists of *views*."""
        lengths = []
        for link in self.members(views, (), names).values():
            (href,) = self.members(link, ["href"], ()).values()
            for part in self._typed_parts(href, "string"):
                is_known = part.get("format", "uri-reference") == "uri-reference" and part.get("minLength", 0) < 2
                if not is_known or part.keys() - {"type", "format", "minLength", "maxLength"}:
                    raise Unsupported
                lengths += [part["maxLength"]] if "maxLength" in part else []
        return min(lengths, default=None)

    def parts(self, views: Views, depth: int = 0) -> list[dict[str, Any]]:
        """Return the keywords of all schemas that apply to a value other than null: of alternatives, of the first."""
        if depth > _MAX_DEPTH or not all(view is True or isinstance(view, dict) for view in views):
            raise Unsupported
        parts: list[dict[str, Any]] = []
        for view in views:
            if view is not True:
                parts.append({word: value for word, value in view.items() if word not in _APPLICATORS})
                parts += self.parts([*self._conjuncts(view)], depth + 1)
        return parts

    def _conjuncts(self, view: dict[str, Any]) -> Iterator[View]:
        """Yield the schemas that suffice for the applicators of *view*."""
        if "$ref" in view:
            yield self._schemas.target(view["$ref"], "response")
        yield from view.get("allOf", ())
        for word in ("anyOf", "oneOf"):
            if word in view:
                yield _choice(word, view[word])
        if "if" in view:
            if view.get("else", True) is not True:
                raise Unsupported
            yield view["then"]

    def _typed_parts(self, views: Views, kind: str) -> list[dict[str, Any]]:
        """Return the keywords that apply to values of the type *kind*, which every part allows."""
        parts = self.parts(views)
        for part in parts:
            types = part.get("type", kind)
            if kind not in ([types] if isinstance(types, str) else types):
                raise Unsupported
        return [
            {word: value for word, value in part.items() if kind in (KEYWORDS[word].types or (kind,))} for part in parts
        ]

    def _keywords(self, views: Views, kind: str) -> set[str]:
        return {word for part in self._typed_parts(views, kind) for word in part}

    def _is_native(self, views: Views, format_: str) -> bool:
        """Return whether the only keywords are the type and *format_*."""
        try:
            parts = self._typed_parts(views, "string")
        except Unsupported:
            return False
        return all(part.items() <= {"type": part.get("type"), "format": format_}.items() for part in parts)

    def _number(self, condition: str, kind: str, value: str, views: Views, namespace: dict[str, Any]) -> str:
        parts = self._typed_parts(views, kind)
        if self._keywords(views, kind) - {"type", "format", "minimum", "maximum"}:
            is_valid = self._add_validator(views, namespace)
            return f"({condition} and -inf < {value} < inf and {is_valid}({value}))"
        minimum = max((part["minimum"] for part in parts if "minimum" in part), default=None)
        maximum = min((part["maximum"] for part in parts if "maximum" in part), default=None)
        # Infinity and NaN are written as null.
        is_finite = f" and -inf < {value} < inf" if kind == "number" else ""
        return f"({condition}{is_finite} and {_between(value, minimum, maximum)})"

    def _string(self, value: str, views: Views, namespace: dict[str, Any]) -> str:
        try:
            parts = self._typed_parts(views, "string")
            is_simple = all(map(_is_free_text, parts))
        except Unsupported:
            is_simple = False
        if not is_simple:
            return f"(type({value}) is str and {self._add_validator(views, namespace)}({value}))"
        least = max((part.get("minLength", 0) for part in parts), default=0)
        most = min((part["maxLength"] for part in parts if "maxLength" in part), default=None)
        # This pattern of free text takes three times as long as a regular expression.
        has_no_nul = f" and '\\0' not in {value}" if any("pattern" in part for part in parts) else ""
        return f"(type({value}) is str and {_between(f'len({value})', least or None, most)}{has_no_nul})"

    def _add_validator(self, views: Views, namespace: dict[str, Any]) -> str:
        name = f"is_valid_{len(namespace)}"
        namespace[name] = self._validator(views).is_valid
        return name

    def _validator(self, views: Views) -> Validator:
        view = views[0] if len(views) == 1 else {"allOf": [*views]}
        key = orjson.dumps(view, option=orjson.OPT_SORT_KEYS).decode()
        if key not in self._validators:
            self._validators[key] = self._schemas.view_validator(view, "response")
        return self._validators[key]


def _is_free_text(part: dict[str, Any]) -> bool:
    """Return whether these keywords only limit the length, and exclude NUL."""
    return part.keys() <= {"type", "minLength", "maxLength", "pattern"} and part.get("pattern", _NO_NUL) == _NO_NUL


def _distinct(views: Iterable[View]) -> list[View]:
    """
    Return each of *views* once, and sets of the same views in the same order.

    A recursive schema that narrows a property of its base says the same of each level, so that its levels are equal.
    """
    # The text tells 1 and true apart, which are equal.
    return [view for _, view in sorted({repr(view): view for view in views}.items())]


def _choice(word: str, choices: Views) -> View:
    """Return the alternative of a value other than null that serializers make."""
    others = [choice for choice in choices if choice is not False and choice != {"type": "null"}]
    if not others or (word == "oneOf" and len(others) > 1):
        raise Unsupported
    return others[0]


def _between(value: str, least: float | None, most: float | None) -> str:
    """Return the condition that *value* is between two bounds. None is no bound."""
    if least is None and most is None:
        return "True"
    return f"{'' if least is None else f'{least!r} <= '}{value}{'' if most is None else f' <= {most!r}'}"
