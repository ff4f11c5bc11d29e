"""Reads the parameters of an operation."""

import keyword
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from marshmallow import ValidationError

from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.parsers.scalars import scalar_parser
from accord.engine.problems import ErrorDetail, Problem, parameter_error
from accord.engine.request import Request

_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_STYLES = {"path": ("simple",), "header": ("simple",), "query": ("form", "spaceDelimited", "pipeDelimited")}


class Parameter:
    """One parameter: a scalar or a list of scalars, in the path, the query or a header."""

    def __init__(self, spec: dict[str, Any], marshmallow_schemas: MarshmallowSchemas) -> None:
        schemas = marshmallow_schemas.schemas
        self.name: str = spec["name"]
        self.place: str = spec["in"]
        self.required: bool = spec.get("required", False)
        self.argument = argument_name(self.name, self.place)
        if self.place not in _STYLES:
            raise error_at(
                spec, f"parameter {self.name}: a parameter in {self.place} cannot be read; use query or header."
            )
        style = spec.get("style", _STYLES[self.place][0])
        if style not in _STYLES[self.place] or "content" in spec:
            raise error_at(spec, f"parameter {self.name}: style {style} in {self.place} or `content` cannot be read.")
        schema = spec.get("schema", {})
        flat = schemas.merged(schema)
        self.is_list = "array" in schemas.types(schema)
        explode = spec.get("explode", style == "form") and self.place == "query"
        self.separator = _SEPARATORS[style] if self.is_list and not explode else None
        item = flat.get("items", {}) if self.is_list else schema
        self.validator = schemas.validator(schema, "request")
        try:
            self.read_one = scalar_parser(item, schemas, schemas.validator(item, "request"))
        except KeyError as error:
            raise error_at(
                spec, f"parameter {self.name}: a value of type {error} cannot be read; scalars can."
            ) from None
        self.is_plain = schemas.types(item) == ["integer"] or schemas.merged(item).get("format") == "uuid"
        self.deserialize = marshmallow_schemas.deserializer(schema)
        self.has_default = "default" in flat
        self.default = (
            self.deserialize(flat["default"]) if self.has_default and self.deserialize else flat.get("default")
        )

    def is_header(self, name: str) -> bool:
        """Return whether this is the header with this name, in lower case."""
        return self.place == "header" and self.name.lower() == name

    def parse(self, texts: list[str], errors: list[ErrorDetail]) -> Any:
        """Return the value that *texts* stand for, or add to *faults* what is wrong with it."""
        if len(texts) > 1 and (not self.is_list or self.separator):
            return self._add_error(errors, "The parameter is given more than once.", "repeated")
        if self.separator:
            texts = [text.strip(" ") if self.place == "header" else text for text in texts[0].split(self.separator)]
        for text in texts:
            if "\0" in text:
                return self._add_error(errors, "The value has a NUL character.", "nul")
        values = [self.read_one(text) for text in texts] if self.read_one else texts
        value = values if self.is_list else values[0]
        if not self.validator.is_valid(value):
            errors += [parameter_error(self.place, self.name, *told) for _, *told in self.validator.errors(value)]
            return None
        if self.deserialize is None:
            return value
        try:
            return self.deserialize(value)
        except ValidationError:
            return self._add_error(errors, "The value is not one that can be kept.", "range")

    def _add_error(self, errors: list[ErrorDetail], detail: str, code: str) -> None:
        errors.append(parameter_error(self.place, self.name, detail, code))


class ParameterParser:
    """All parameters of an operation."""

    def __init__(self, every: Iterable[Parameter], path_names: list[str], elsewhere: frozenset[str]) -> None:
        """*elsewhere* names headers, in lower case, of which a policy says what it means when they are missing."""
        self.every = list(every)
        self.by_argument = {parameter.argument: parameter for parameter in self.every}
        path = {parameter.name: parameter for parameter in self.every if parameter.place == "path"}
        self._path = [path[name] for name in path_names]
        self._query = {parameter.name: parameter for parameter in self.every if parameter.place == "query"}
        headers = [parameter for parameter in self.every if parameter.place == "header"]
        self._headers = [(parameter.name.lower().encode("latin-1"), parameter) for parameter in headers]
        self._required = [parameter for parameter in self._query.values() if parameter.required]
        self._elsewhere = elsewhere
        self._defaults: dict[str, Any] = {
            parameter.argument: parameter.default for parameter in self.every if parameter.has_default
        }
        self._lists = [argument for argument, default in self._defaults.items() if isinstance(default, list)]

    def parse(self, request: Request, errors: list[ErrorDetail]) -> dict[str, Any]:
        """Return the arguments that the request's parameters are; add to *faults* all that is wrong with them."""
        values = dict(self._defaults)
        for name in self._lists:
            values[name] = [*values[name]]
        for parameter, text in zip(self._path, request.path_values, strict=True):
            values[parameter.argument] = parameter.parse([text], errors)
        query = request.scope["query_string"]
        if query or self._required:
            found = parse_query(query)
            for name, texts in found.items():
                if known := self._query.get(name):
                    values[known.argument] = known.parse(texts, errors)
                else:
                    errors.append(parameter_error("query", name[:100], "There is no such parameter here.", "unknown"))
            missing = [parameter.name for parameter in self._required if parameter.name not in found]
            errors += [parameter_error("query", name, "The parameter is required.", "required") for name in missing]
        for key, parameter in self._headers:
            header = request.headers.get(key)
            if header is not None:
                values[parameter.argument] = parameter.parse([header.decode("latin-1")], errors)
            elif parameter.required and parameter.name.lower() not in self._elsewhere:
                errors.append(parameter_error("header", parameter.name, "The header is required.", "required"))
        return values


def argument_name(name: str, place: str) -> str:
    """Return the Python name of a parameter: the header `If-Match` is `if_match`, the query's `from` is `from_`."""
    made = re.sub(r"\W", "_", name.lower() if place == "header" else name)
    return made + "_" if keyword.iskeyword(made) else made


def parse_query(query: bytes) -> dict[str, list[str]]:
    """Return the values of each name in a query string; raises a 400 Problem if it is not UTF-8, percent-encoded."""
    found: dict[str, list[str]] = {}
    try:
        for piece in query.decode("ascii").split("&"):
            if piece:
                name, _, value = piece.partition("=")
                if "%" in piece or "+" in piece:
                    name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
                found.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        raise Problem(400, "The query is not percent-encoded UTF-8.") from None
    return found
