"""Serializers: functions that are compiled from the marshmallow schemas of the contract, instead of `schema.dump`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from keyword import iskeyword
from math import inf
from textwrap import indent
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

from marshmallow import Schema, fields

from accord.codegen import define
from accord.contract.document import component_name
from accord.engine.marshmallow_schemas import (
    DecimalString,
    MarshmallowSchemas,
    Representation,
    UriReference,
    decimal_text,
)
from accord.engine.renderers.assertions import Assertions, Unproven, Unsupported, Views

Serialize = Callable[[Any], Any]

Scopes = frozenset[str] | None
"""The scopes of a caller; None without credentials."""
MAX_SCOPE_SETS = 200
"""The number of sets of scopes whose serializers are cached. The number of possible sets is unlimited."""
ROOT_PATH = "{root_path}"
"""Stands for the root path in the source of a link."""


_ROOT_PATH = re.compile(r"[A-Za-z0-9/._~-]*")
_NAMES: dict[str, Any] = {
    "Decimal": Decimal,
    "Mapping": Mapping,
    "UTC": UTC,
    "UUID": UUID,
    "Unproven": Unproven,
    "date": date,
    "datetime": datetime,
    "decimal_text": decimal_text,
    "inf": inf,
}
"""The names in the source of serializers."""


class _Target(Protocol):
    def allows(self, scopes: Scopes) -> bool: ...


@dataclass(frozen=True)
class LinkTemplate:
    """
    A member of `_links`: its target, and its source for callers that may call the target.

    `length` is the maximum length of the URL without the root path: infinite if it is unknown, and None if it is not
    certain that it is a URL.
    """

    name: str
    target: _Target
    source: str
    length: float | None


class Serializers:
    """
    The serializers of a document.

    Callers with different links have different ones, because links lead only to operations that their scopes allow. So
    has each root path.
    """

    def __init__(
        self, marshmallow_schemas: MarshmallowSchemas, links: dict[str, list[LinkTemplate]], helpers: dict[str, Any]
    ) -> None:
        """*links* has the members of `_links` by component, and *helpers* the functions that their sources call."""
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self._assertions = Assertions(marshmallow_schemas.schemas)
        self._compilers: dict[tuple[tuple[tuple[LinkTemplate, ...], ...], str, bool], _Compiler] = {}
        # Serializers are compiled at their first use, which can be in several threads at the same time.
        self._lock = Lock()

    def for_schema(
        self, schema: Any, scopes: Scopes = None, root_path: str = "", has_assertions: bool = False
    ) -> Serialize | None:
        """
        Return the serializer of *schema* for callers with *scopes*; None if its values need no serialization.

        *root_path* precedes the links, and values of `format: uri-reference` that are paths.

        With *has_assertions*, its result is a valid response. It raises Unproven, or an error of the serializer without
        assertions, for a value of which it cannot tell that. It is None if the schema has other keywords.
        """
        with self._lock:
            try:
                return self._compiler(scopes, root_path, has_assertions=has_assertions).for_schema(schema)
            except Unsupported:
                return None

    def _compiler(self, scopes: Scopes, root_path: str, *, has_assertions: bool) -> "_Compiler":
        """Return the compiler for callers with *scopes*. Callers with the same links share it."""

        def is_allowed(link: LinkTemplate) -> bool:
            return link.target.allows(scopes)

        links = {name: list(filter(is_allowed, templates)) for name, templates in self.links.items()}
        key = tuple(map(tuple, links.values())), root_path, has_assertions
        if key not in self._compilers:
            # Each set of links has one compiler with assertions, and one without.
            if len(self._compilers) >= 2 * MAX_SCOPE_SETS:
                self._compilers.clear()
            assertions = self._assertions if has_assertions else None
            self._compilers[key] = _Compiler(
                self.marshmallow_schemas, links, self.helpers, root_path, assertions, self._lock
            )
        return self._compilers[key]

    def location(self, schema: Any) -> Callable[[Any], str] | None:
        """Return a function that gives the `self` link of a representation of *schema*; None if it has no such link.

        The function does not depend on scopes. The root path is to precede the link.
        """
        sources = {link.name: link.source for link in self.links.get(component_name(schema) or "", ())}
        if "self" not in sources:
            return None
        source = sources["self"].replace(ROOT_PATH, "")
        links_of: Serialize = define("links", f"def links(data):\n  return {{{source}}}\n", dict(self.helpers))
        return lambda data: str(links_of(data)["self"]["href"])


class _Compiler:
    """
    Compiles the serializers of schemas for one set of links.

    A serializer turns the result of a handler (a mapping, a row, an entity) into a JSON value, and adds the links of
    the component. It is equivalent to `schema.dump` of marshmallow, takes a thirtieth of its time for a page, and
    leaves dates and times to orjson. It raises KeyError or AttributeError for a missing required property.

    With *assertions*, serializers also raise Unproven unless the conditions of all values are true. *lock* is held
    while they are compiled.
    """

    def __init__(
        self,
        marshmallow_schemas: MarshmallowSchemas,
        links: dict[str, list[LinkTemplate]],
        helpers: dict[str, Any],
        root_path: str,
        assertions: Assertions | None,
        lock: Lock,
    ) -> None:
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self.root_path = root_path
        self.assertions = assertions
        self.lock = lock
        self._by_shape: dict[tuple[type[Schema], str], tuple[Serialize, Serialize]] = {}

    def for_schema(self, schema: Any) -> Serialize | None:
        """Return the serializer of *schema*; None if its values need no serialization. Raises Unsupported."""
        field = self.marshmallow_schemas.field(schema)
        views = [self.assertions.view(schema)] if self.assertions else []
        if isinstance(field, fields.Nested) and not field.allow_none:
            return self._for_shape(type(field.schema), views)[0]
        namespace: dict[str, Any] = self._namespace()
        condition, expression = self._expression(field, "value", views, namespace)
        if expression == "value" and not self.assertions:
            return None
        return define(
            "serialize", f"def serialize(value):\n{_raise_unless(condition)}  return {expression}\n", namespace
        )

    def _namespace(self) -> dict[str, Any]:
        return {**self.helpers, **_NAMES}

    def _for_shape(self, shape: type[Schema], views: Views) -> tuple[Serialize, Serialize]:
        """Return the serializer of *shape*, and the one of its mappings. *views* are those of the schema."""
        assert issubclass(shape, Representation)
        key = shape, repr(views)
        if key not in self._by_shape:
            namespace = self._namespace()
            # A recursive schema finds these functions, which call the compiled ones.
            self._by_shape[key] = _defined_later(namespace, "serialize"), _defined_later(namespace, "from_dict")
            try:
                serialize = define("serialize", self._source(shape, views, namespace), namespace)
            except Unsupported:
                del self._by_shape[key]
                raise
            self._by_shape[key] = serialize, namespace["from_dict"]
        return self._by_shape[key]

    def _source(self, shape: type[Representation], views: Views, namespace: dict[str, Any]) -> str:
        """Return the source of the serializer of *shape*. The serializer of objects is compiled at its first use."""

        def from_object(value: Any) -> Any:
            with self.lock:
                body = self._statements(shape, views, _attribute, namespace)
                define("from_object", f"def from_object(value):\n{body}", namespace)
            return namespace["from_object"](value)

        namespace["from_object"] = from_object
        # Loaded columns of an entity are in its `__dict__`, which is faster than attributes that may load or compute.
        shortcut = ""
        if shape.minimal >= shape().dump_fields.keys():
            shortcut = "  try: return from_dict(value.__dict__)\n  except KeyError: pass\n"
        return (
            f"def from_dict(value):\n{self._statements(shape, views, _key, namespace)}\n"
            "def serialize(value):\n  if isinstance(value, (dict, Mapping)): return from_dict(value)\n"
            f"{shortcut}  return from_object(value)\n"
        )

    def _statements(
        self, shape: type[Representation], views: Views, access: Callable[[str], str], namespace: dict[str, Any]
    ) -> str:
        if self.assertions:
            return self._asserting_body(shape, views, access, namespace)
        return self._body_with_alternative(shape, access, namespace)

    def _asserting_body(
        self, shape: type[Representation], views: Views, access: Callable[[str], str], namespace: dict[str, Any]
    ) -> str:
        """Return statements that serialize all properties of *value*, and raise Unproven unless they are valid."""
        assert self.assertions
        dumped = shape().dump_fields
        if shape.allows_extra:
            raise Unsupported
        links = self.links.get(shape.component or "", [])
        always = [name for name in dumped if name in shape.required] + (["_links"] if shape.has_links else [])
        members = self.assertions.members(views, always, [name for name in dumped if name not in shape.required])
        reads: list[str] = []
        conditions: list[str] = []
        required_members: list[str] = []
        optional_members: list[str] = []
        for number, (member, field) in enumerate(dumped.items()):
            value = f"v{number}"
            condition, expression = self._expression(field, value, members[member], namespace)
            read = f"  {value} = {access(member)}\n"
            if member in shape.required:
                reads.append(read)
                conditions.append(condition)
                required_members.append(f"{member!r}: {expression}")
            else:
                body = f"{read}{_raise_unless(condition)}  data[{member!r}] = {expression}\n"
                optional_members.append(f"  if {_has(member, access)}:\n{indent(body, ' ')}")
        check_links = ""
        if shape.has_links:
            longest = self.assertions.links(members["_links"], [link.name for link in links])
            lengths = [link.length for link in links]
            if None in lengths or not _ROOT_PATH.fullmatch(self.root_path):
                raise Unsupported
            if longest is not None and max(filter(None, lengths), default=0) + len(self.root_path) > longest:
                is_too_long = f"if len(link['href']) > {longest}: raise Unproven"
                check_links = f"  for link in data['_links'].values():\n    {is_too_long}\n"
        statements = _raise_unless(" and ".join(filter(None, conditions)))
        data = f"  data = {{{', '.join(required_members)}}}\n{''.join(optional_members)}"
        return f"{''.join(reads)}{statements}{data}{self._links_statement(shape)}{check_links}  return data\n"

    def _body_with_alternative(
        self, shape: type[Representation], access: Callable[[str], str], namespace: dict[str, Any]
    ) -> str:
        """Return statements that serialize all properties or, if some are missing, those that alternatives require."""
        complete = self._body(shape, shape.required, access, namespace)
        if shape.minimal == shape.required:
            return complete
        indented = complete.replace("\n  ", "\n   ")
        minimal = self._body(shape, shape.minimal, access, namespace)
        return f"  try:\n {indented}  except (KeyError, AttributeError): pass\n{minimal}"

    def _body(
        self,
        shape: type[Representation],
        required: frozenset[str],
        access: Callable[[str], str],
        namespace: dict[str, Any],
    ) -> str:
        """Return statements that serialize *value*. *access* returns the expression of a property of it."""
        required_members: list[str] = []
        optional_members: list[str] = []
        for member, field in shape().dump_fields.items():
            _, expression = self._expression(field, access(member), [], namespace)
            if member in required:
                required_members.append(f"{member!r}: {expression}")
            else:
                optional_members.append(f"  if {_has(member, access)}: data[{member!r}] = {expression}\n")
        if shape.allows_extra and access is _key:
            namespace["known"] = frozenset(shape().fields) | {"_links"}
            optional_members.append("  for name in value:\n   if name not in known: data[name] = value[name]\n")
        links = self._links_statement(shape) if "_links" in required or required == shape.required else ""
        return f"  data = {{{', '.join(required_members)}}}\n{''.join(optional_members)}{links}  return data\n"

    def _links_statement(self, shape: type[Representation]) -> str:
        if not shape.has_links:
            return ""
        links = self.links.get(shape.component or "", ())
        sources = [link.source.replace(ROOT_PATH, self.root_path) for link in links]
        return f"  data['_links'] = {{{', '.join(sources)}}}\n"

    def _expression(
        self, field: fields.Field[Any], value: str, views: Views, namespace: dict[str, Any]
    ) -> tuple[str, str]:
        """
        Return the condition and the expression that serializes the result of the expression *value* as *field* does.

        Without assertions, there is no condition. With them, *value* is the name of a variable.
        """
        condition = ""
        match field:
            case fields.Nested():
                number = len(namespace)
                functions = self._for_shape(type(field.schema), views)
                namespace[f"serialize_{number}"], namespace[f"from_dict_{number}"] = functions
                # Rows are dicts, which need no look at their class.
                expression = f"(from_dict_{number}({value}) if type({value}) is dict else serialize_{number}({value}))"
            case fields.List():
                condition, expression = self._list(field, value, views, namespace)
            case fields.Dict() if field.value_field and not self.assertions:
                _, item = self._expression(field.value_field, "item", [], namespace)
                expression = f"{{key: {item} for key, item in {value}.items()}}"
            case DecimalString():
                expression = f"decimal_text({value})"
            case fields.UUID():
                expression = f"str({value})"
            case UriReference() if self.root_path:
                expression = f"({self.root_path!r} + {value} if {value}[:1] == '/' else {value})"
            case _:
                expression = value
        if self.assertions and not isinstance(field, (fields.Nested, fields.List)):
            condition, expression = self.assertions.scalar(field, value, views, namespace, expression)
        if not field.allow_none or (self.assertions and not self.assertions.accepts_null(views)):
            return condition, expression
        if condition:
            condition = f"({value} is None or {condition})"
        return condition, expression if expression == value else f"(None if {value} is None else {expression})"

    def _list(self, field: fields.List[Any], value: str, views: Views, namespace: dict[str, Any]) -> tuple[str, str]:
        """Return the condition and the expression of a list. A list that is changed has a function for its items."""
        if not self.assertions:
            _, item = self._expression(field.inner, "item", [], namespace)
            return "", f"list({value})" if item == "item" else f"[{item} for item in {value}]"
        texts = self.assertions.texts(field.inner, value, views, namespace)
        if texts:
            return texts, value
        condition, item = self._expression(field.inner, "item", self.assertions.items(views), namespace)
        has_length = self.assertions.length(value, views)
        if not condition:
            return has_length, f"[{item} for item in {value}]"
        name = f"serialize_{len(namespace)}"
        body = indent(f"{_raise_unless(condition)}  data.append({item})\n", " ")
        define(name, f"def {name}(items):\n  data = []\n  for item in items:\n{body}  return data\n", namespace)
        return has_length, f"{name}({value})"


def _defined_later(namespace: Mapping[str, Any], name: str) -> Serialize:
    """Return a function that calls the function *name*, which the namespace has when it is called."""

    def serialize(value: Any) -> Any:
        return namespace[name](value)

    return serialize


def _raise_unless(condition: str) -> str:
    return f"  if not ({condition}): raise Unproven\n" if condition else ""


def _has(member: str, access: Callable[[str], str]) -> str:
    """Return the expression that tells whether *value* has the property."""
    return f"hasattr(value, {member!r})" if access is _attribute else f"{member!r} in value"


def _attribute(member: str) -> str:
    return f"value.{member}" if member.isidentifier() and not iskeyword(member) else f"getattr(value, {member!r})"


def _key(member: str) -> str:
    return f"value[{member!r}]"
