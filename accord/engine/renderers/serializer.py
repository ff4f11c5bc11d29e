"""Serializers: functions that are compiled from the marshmallow schemas of the contract, instead of `schema.dump`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from threading import Lock
from typing import Any, Protocol

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

Serialize = Callable[[Any], Any]

Scopes = frozenset[str] | None
"""The scopes of a caller; None without credentials."""
MAX_SCOPE_SETS = 200
"""The number of sets of scopes whose serializers are cached. The number of possible sets is unlimited."""
ROOT_PATH = "{root_path}"
"""Stands for the root path in the source of a link."""


class _Target(Protocol):
    def allows(self, scopes: Scopes) -> bool: ...


@dataclass(frozen=True)
class LinkTemplate:
    """A member of `_links`: its target, and its source for callers that may call the target."""

    name: str
    target: _Target
    source: str


class Serializers:
    """
    The serializers of a document.

    Each set of scopes has its own, because links lead only to allowed operations. So has each root path.
    """

    def __init__(
        self, marshmallow_schemas: MarshmallowSchemas, links: dict[str, list[LinkTemplate]], helpers: dict[str, Any]
    ) -> None:
        """*links* has the members of `_links` by component, and *helpers* the functions that their sources call."""
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self._compilers: dict[tuple[Scopes, str], _Compiler] = {}
        # Serializers are compiled at their first use, which can be in several threads at the same time.
        self._lock = Lock()

    def for_schema(self, schema: Any, scopes: Scopes = None, root_path: str = "") -> Serialize | None:
        """
        Return the serializer of *schema* for callers with *scopes*; None if its values need no serialization.

        *root_path* precedes the links, and values of `format: uri-reference` that are paths.
        """
        key = scopes, root_path
        with self._lock:
            if key not in self._compilers:
                if len(self._compilers) >= MAX_SCOPE_SETS:
                    self._compilers.clear()
                allowed = {
                    component: [
                        link.source.replace(ROOT_PATH, root_path) for link in links if link.target.allows(scopes)
                    ]
                    for component, links in self.links.items()
                }
                self._compilers[key] = _Compiler(self.marshmallow_schemas, allowed, self.helpers, root_path)
            return self._compilers[key].for_schema(schema)

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
    """

    def __init__(
        self,
        marshmallow_schemas: MarshmallowSchemas,
        links: dict[str, list[str]],
        helpers: dict[str, Any],
        root_path: str,
    ) -> None:
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self.root_path = root_path
        self._by_shape: dict[type[Schema], tuple[Serialize, Serialize]] = {}

    def for_schema(self, schema: Any) -> Serialize | None:
        """Return the serializer of *schema*; None if its values need no serialization."""
        field = self.marshmallow_schemas.field(schema)
        if isinstance(field, fields.Nested) and not field.allow_none:
            return self._for_shape(type(field.schema))[0]
        namespace: dict[str, Any] = {}
        expression = self._expression(field, "value", namespace)
        if expression == "value":
            return None
        return define("serialize", f"def serialize(value):\n  return {expression}\n", namespace)

    def _for_shape(self, shape: type[Schema]) -> tuple[Serialize, Serialize]:
        """Return the serializer of *shape*, and the one of its mappings."""
        assert issubclass(shape, Representation)
        if shape not in self._by_shape:
            namespace: dict[str, Any] = {**self.helpers, "Mapping": Mapping}
            # A recursive schema finds these functions, which call the compiled ones.
            self._by_shape[shape] = _defined_later(namespace, "serialize"), _defined_later(namespace, "from_dict")
            serialize = define("serialize", self._source(shape, namespace), namespace)
            self._by_shape[shape] = serialize, namespace["from_dict"]
        return self._by_shape[shape]

    def _source(self, shape: type[Representation], namespace: dict[str, Any]) -> str:
        """Return the source of the serializer of *shape*."""
        from_dict = self._body_with_alternative(shape, _key, namespace)
        from_object = self._body_with_alternative(shape, _attribute, namespace)
        # Loaded columns of an entity are in its `__dict__`, which is faster than attributes that may load or compute.
        shortcut = ""
        if shape.minimal >= shape().dump_fields.keys():
            shortcut = "  try: return from_dict(value.__dict__)\n  except KeyError: pass\n"
        return (
            f"def from_dict(value):\n{from_dict}\n"
            "def serialize(value):\n  if isinstance(value, (dict, Mapping)): return from_dict(value)\n"
            f"{shortcut}{from_object}"
        )

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
            expression = self._expression(field, access(member), namespace)
            if member in required:
                required_members.append(f"{member!r}: {expression}")
            else:
                has = f"hasattr(value, {member!r})" if access is _attribute else f"{member!r} in value"
                optional_members.append(f"  if {has}: data[{member!r}] = {expression}\n")
        if shape.allows_extra and access is _key:
            namespace["known"] = frozenset(shape().fields) | {"_links"}
            optional_members.append("  for name in value:\n   if name not in known: data[name] = value[name]\n")
        links = self._links_statement(shape) if "_links" in required or required == shape.required else ""
        return f"  data = {{{', '.join(required_members)}}}\n{''.join(optional_members)}{links}  return data\n"

    def _links_statement(self, shape: type[Representation]) -> str:
        if not shape.has_links:
            return ""
        return f"  data['_links'] = {{{', '.join(self.links.get(shape.component or '', ()))}}}\n"

    def _expression(self, field: fields.Field[Any], value: str, namespace: dict[str, Any]) -> str:
        """Return the expression that serializes the result of the expression *value* as *field* does."""
        match field:
            case fields.Nested():
                number = len(namespace)
                namespace[f"serialize_{number}"], namespace[f"from_dict_{number}"] = self._for_shape(type(field.schema))
                # Rows are dicts, which need no look at their class.
                expression = f"(from_dict_{number}({value}) if type({value}) is dict else serialize_{number}({value}))"
            case fields.List():
                item = self._expression(field.inner, "item", namespace)
                expression = f"list({value})" if item == "item" else f"[{item} for item in {value}]"
            case fields.Dict() if field.value_field:
                item = self._expression(field.value_field, "item", namespace)
                expression = f"{{key: {item} for key, item in {value}.items()}}"
            case DecimalString():
                namespace["decimal_text"] = decimal_text
                expression = f"decimal_text({value})"
            case fields.UUID():
                expression = f"str({value})"
            case UriReference() if self.root_path:
                expression = f"({self.root_path!r} + {value} if {value}[:1] == '/' else {value})"
            case _:
                return value
        return f"(None if {value} is None else {expression})" if field.allow_none else expression


def _defined_later(namespace: Mapping[str, Any], name: str) -> Serialize:
    """Return a function that calls the function *name*, which the namespace has when it is called."""

    def serialize(value: Any) -> Any:
        return namespace[name](value)

    return serialize


def _attribute(member: str) -> str:
    return f"value.{member}" if member.isidentifier() and not iskeyword(member) else f"getattr(value, {member!r})"


def _key(member: str) -> str:
    return f"value[{member!r}]"
