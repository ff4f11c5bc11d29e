"""Parser of parameters in the path, the query and headers."""

import keyword
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from marshmallow import ValidationError

from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import EXACT, MarshmallowSchemas
from accord.engine.parsers.scalars import scalar_parser
from accord.engine.problems import ErrorDetail, Problem, parameter_error
from accord.engine.request import Request
from accord.engine.structured_fields import parse_key

_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
# The supported styles by location; the first one is the default.
_STYLES = {"path": ("simple",), "header": ("simple",), "query": ("form", "spaceDelimited", "pipeDelimited")}


class Parameter:
    """A parameter in the path, the query or a header: a scalar or a list of scalars."""

    def __init__(self, spec: dict[str, Any], marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError for a location, style or type that is not supported."""
        schemas = marshmallow_schemas.schemas
        self.name: str = spec["name"]
        self.location: str = spec["in"]
        self.required: bool = spec.get("required", False)
        self.argument = argument_name(self.name, self.location)
        if self.location not in _STYLES:
            raise error_at(spec, f"parameter {self.name} cannot be in {self.location}; use query or header.")
        style = spec.get("style", _STYLES[self.location][0])
        if style not in _STYLES[self.location] or "content" in spec:
            styles = ", ".join(_STYLES[self.location])
            message = f"a parameter in {self.location} cannot have style {style} or `content`; use {styles}."
            raise error_at(spec, f"parameter {self.name}: {message}")
        schema = spec.get("schema", {})
        merged = schemas.merge(schema)
        self.is_list = "array" in schemas.types(schema)
        explode = spec.get("explode", style == "form") and self.location == "query"
        self.separator = _SEPARATORS[style] if self.is_list and not explode else None
        item = merged.get("items", {}) if self.is_list else schema
        self.validator = schemas.validator(schema, "request")
        try:
            self._parse_scalar = scalar_parser(item, schemas, schemas.validator(item, "request"))
        except KeyError as error:
            message = f"parameter {self.name}: a parameter cannot have type {error}; use scalars or lists of scalars."
            raise error_at(spec, message) from None
        self.is_exact = type(marshmallow_schemas.field(schema)) in EXACT
        """Whether its equal values are the same, unlike the decimals 1.0 and 1.00."""
        self._is_key = self.is_header("idempotency-key")
        self.deserialize = marshmallow_schemas.deserializer(schema)
        self.has_default = "default" in merged
        self.default = merged.get("default")
        if self.has_default and self.deserialize:
            self.default = self.deserialize(self.default)

    def is_header(self, name: str) -> bool:
        """Return whether this is the header *name*, which is in lower case."""
        return self.location == "header" and self.name.lower() == name

    def parse(self, texts: list[str], errors: list[ErrorDetail]) -> Any:
        """Return the value of *texts*, or None after adding its errors to *errors*."""
        if len(texts) > 1 and (not self.is_list or self.separator):
            return self._add_error(errors, "The parameter is repeated.", "repeated")
        if self.separator:
            texts = [text.strip(" ") if self.location == "header" else text for text in texts[0].split(self.separator)]
        if self._is_key:
            return self._parse_key(texts[0], errors)
        values = [self._parse_scalar(text) for text in texts] if self._parse_scalar else texts
        value = values if self.is_list else values[0]
        if not self._validate(value, errors):
            return None
        if self.deserialize is None:
            return value
        try:
            return self.deserialize(value)
        except ValidationError:
            return self._add_error(errors, "The value is out of range.", "range")

    def _parse_key(self, text: str, errors: list[ErrorDetail]) -> str | None:
        try:
            item, key = parse_key(text)
        except ValueError as error:
            self._add_error(errors, str(error), "malformed")
            return None
        return key if self._validate(item, errors) else None

    def _validate(self, value: Any, errors: list[ErrorDetail]) -> bool:
        if self.validator.is_valid(value):
            return True
        errors += [
            parameter_error(self.location, self.name, detail, code) for _, detail, code in self.validator.errors(value)
        ]
        return False

    def _add_error(self, errors: list[ErrorDetail], detail: str, code: str) -> None:
        errors.append(parameter_error(self.location, self.name, detail, code))


class ParameterParser:
    """Parses all parameters of an operation."""

    def __init__(self, parameters: Iterable[Parameter], path_names: list[str], policy_headers: frozenset[str]) -> None:
        """*policy_headers* are required headers, in lower case, whose absence a policy reports."""
        self.every = list(parameters)
        self.by_argument = {parameter.argument: parameter for parameter in self.every}
        path = {parameter.name: parameter for parameter in self.every if parameter.location == "path"}
        self._path = [path[name] for name in path_names]
        self.path_arguments = [parameter.argument for parameter in self._path]
        self._query = {parameter.name: parameter for parameter in self.every if parameter.location == "query"}
        headers = [parameter for parameter in self.every if parameter.location == "header"]
        self._headers = [(parameter.name.lower().encode("latin-1"), parameter) for parameter in headers]
        self._required = [parameter for parameter in self._query.values() if parameter.required]
        self._policy_headers = policy_headers
        self._defaults: dict[str, Any] = {
            parameter.argument: parameter.default for parameter in self.every if parameter.has_default
        }
        self._lists = [argument for argument, default in self._defaults.items() if isinstance(default, list)]

    def defaults(self) -> dict[str, Any]:
        """Return the arguments of a request without parameters."""
        values = dict(self._defaults)
        # Handlers can change their arguments, so each request gets lists of its own.
        for name in self._lists:
            values[name] = [*values[name]]
        return values

    def parse(self, request: Request, errors: list[ErrorDetail]) -> dict[str, Any]:
        """Return the parameters of a request by argument name, and add their errors to *errors*."""
        values = self.defaults()
        for parameter, text in zip(self._path, request.path_values, strict=True):
            values[parameter.argument] = parameter.parse([text], errors)
        query = request.scope["query_string"]
        if query or self._required:
            query_values = parse_query(query)
            for name, texts in query_values.items():
                if declared := self._query.get(name):
                    values[declared.argument] = declared.parse(texts, errors)
                else:
                    errors.append(parameter_error("query", name[:100], "Unknown parameter.", "unknown"))
            missing = [parameter.name for parameter in self._required if parameter.name not in query_values]
            errors += [parameter_error("query", name, "The parameter is required.", "required") for name in missing]
        for key, parameter in self._headers:
            header = request.headers.get(key)
            if header is not None:
                values[parameter.argument] = parameter.parse([header.decode("latin-1")], errors)
            elif parameter.required and parameter.name.lower() not in self._policy_headers:
                errors.append(parameter_error("header", parameter.name, "The header is required.", "required"))
        return values


def argument_name(name: str, location: str) -> str:
    """Return the name of a parameter as an argument: `if_match` for the header `If-Match`, `from_` for `from`."""
    argument = re.sub(r"\W", "_", name.lower() if location == "header" else name)
    return argument + "_" if keyword.iskeyword(argument) else argument


def parse_query(query: bytes) -> dict[str, list[str]]:
    """Return the values in a query string by name. Raises a 400 Problem unless it is percent-encoded UTF-8."""
    values: dict[str, list[str]] = {}
    try:
        for piece in query.decode("ascii").split("&"):
            if piece:
                name, _, value = piece.partition("=")
                if "%" in piece or "+" in piece:
                    name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
                values.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        raise Problem(400, "The query is not percent-encoded UTF-8.") from None
    return values
