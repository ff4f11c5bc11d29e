"""Compiles the marshmallow schemas of the contract: what `schema.dump` interprets, as a function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from threading import Lock
from typing import Any, Protocol

from marshmallow import Schema, fields

from accord.contract.document import component_name
from accord.engine.codegen import define
from accord.engine.marshmallow_schemas import DecimalString, MarshmallowSchemas, Representation, decimal_text

Serialize = Callable[[Any], Any]


Scopes = frozenset[str] | None
"""What a caller reaches; None is nobody."""
MAX_SCOPE_SETS = 200
"""For how many sets of scopes what was compiled is kept; callers may have any there are."""


class _Target(Protocol):
    def allows(self, scopes: Scopes) -> bool: ...


@dataclass(frozen=True)
class LinkTemplate:
    """A member of `_links`: the operation that it leads to, and the source of it, for who reaches that."""

    name: str
    target: _Target
    source: str


class Serializers:
    """The dumps of a document: for each set of scopes its own, as links lead only where these reach."""

    def __init__(
        self, marshmallow_schemas: MarshmallowSchemas, links: dict[str, list[LinkTemplate]], helpers: dict[str, Any]
    ) -> None:
        """*links* has the members of `_links` of each component, *names* what their sources need."""
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self._seen: dict[Scopes, _Compiler] = {}
        # A dump is made at its first use; that may be at the same time in several threads.
        self._making = Lock()

    def for_schema(self, schema: Any, scopes: Scopes = None) -> Serialize | None:
        """Return the dump of *schema* for callers with *scopes*; None if its values are JSON as they are."""
        with self._making:
            if scopes not in self._seen:
                if len(self._seen) >= MAX_SCOPE_SETS:
                    self._seen.clear()
                reached = {
                    component: [link.source for link in links if link.target.allows(scopes)]
                    for component, links in self.links.items()
                }
                self._seen[scopes] = _Compiler(self.marshmallow_schemas, reached, self.helpers)
            return self._seen[scopes].for_schema(schema)

    def location(self, schema: Any) -> Callable[[Any], str] | None:
        """Return what finds in a representation of *schema* where it is: its link `self`, whoever reaches that."""
        links = {link.name: link.source for link in self.links.get(component_name(schema) or "", ())}
        if "self" not in links:
            return None
        dump: Serialize = define("links", f"def links(made):\n  return {{{links['self']}}}\n", dict(self.helpers))
        return lambda made: str(dump(made)["self"]["href"])


class _Compiler:
    """
    The dump of each schema, compiled.

    A dump turns what a handler returns (a mapping, a row, an entity) into what JSON can
    say, and adds the links of the component. It equals marshmallow's `schema.dump`,
    at a thirtieth of its cost for a page, and leaves dates, moments and UUIDs to orjson.
    It raises KeyError or AttributeError for a required member that the value lacks.
    """

    def __init__(
        self, marshmallow_schemas: MarshmallowSchemas, links: dict[str, list[str]], helpers: dict[str, Any]
    ) -> None:
        self.marshmallow_schemas = marshmallow_schemas
        self.links = links
        self.helpers = helpers
        self._made: dict[type[Schema], Serialize] = {}

    def for_schema(self, schema: Any) -> Serialize | None:
        """Return the dump of *schema*; None if its values are JSON as they are."""
        field = self.marshmallow_schemas.field(schema)
        if isinstance(field, fields.Nested) and not field.allow_none:
            return self._for_shape(type(field.schema))
        namespace: dict[str, Any] = {}
        text = self._expression(field, "value", namespace)
        if text == "value":
            return None
        return define("dump", f"def dump(value):\n  return {text}\n", namespace)

    def _for_shape(self, shape: type[Schema]) -> Serialize:
        assert issubclass(shape, Representation)
        if shape not in self._made:
            namespace: dict[str, Any] = {**self.helpers, "Mapping": Mapping}

            def dump(value: Any) -> Any:
                return namespace["dump"](value)

            self._made[shape] = dump  # Kept first, so that a cycle ends here.
            self._made[shape] = define("dump", self._source(shape, namespace), namespace)
        return self._made[shape]

    def _source(self, shape: type[Representation], namespace: dict[str, Any]) -> str:
        from_dict, from_object = (self._trying(shape, by, namespace) for by in (_key, _attribute))
        # What an entity has at hand is in its `__dict__`; only its attributes know what it must fetch or compute.
        shortcut = ""
        if shape.minimal >= shape().dump_fields.keys():
            shortcut = "  try: return from_dict(value.__dict__)\n  except KeyError: pass\n"
        return (
            f"def from_dict(value):\n{from_dict}\n"
            "def dump(value):\n  if isinstance(value, (dict, Mapping)): return from_dict(value)\n"
            f"{shortcut}{from_object}"
        )

    def _trying(self, shape: type[Representation], by: Callable[[str], str], namespace: dict[str, Any]) -> str:
        """Write what makes the whole of a shape or, where members are missing, as few as another alternative takes."""
        whole = self._body(shape, shape.required, by, namespace)
        if shape.minimal == shape.required:
            return whole
        indented, least = whole.replace("\n  ", "\n   "), self._body(shape, shape.minimal, by, namespace)
        return f"  try:\n {indented}  except (KeyError, AttributeError): pass\n{least}"

    def _body(
        self, shape: type[Representation], required: frozenset[str], by: Callable[[str], str], namespace: dict[str, Any]
    ) -> str:
        always, sometimes = [], []
        for member, field in shape().dump_fields.items():
            text = self._expression(field, by(member), namespace)
            if member in required:
                always.append(f"{member!r}: {text}")
            else:
                has = f"hasattr(value, {member!r})" if by is _attribute else f"{member!r} in value"
                sometimes.append(f"  if {has}: made[{member!r}] = {text}\n")
        if shape.allows_extra and by is _key:
            namespace["known"] = frozenset(shape().fields) | {"_links"}
            sometimes.append("  for name in value:\n   if name not in known: made[name] = value[name]\n")
        linking = self._linking(shape) if "_links" in required or required == shape.required else ""
        return f"  made = {{{', '.join(always)}}}\n{''.join(sometimes)}{linking}  return made\n"

    def _linking(self, shape: type[Representation]) -> str:
        if not shape.has_links:
            return ""
        return f"  made['_links'] = {{{', '.join(self.links.get(shape.component or '', ()))}}}\n"

    def _expression(self, field: fields.Field[Any], got: str, namespace: dict[str, Any]) -> str:
        """Write what *field* makes of the value that the expression *got* gives."""
        match field:
            case fields.Nested():
                shape = type(field.schema)
                name = f"dump_{len(namespace)}"
                namespace[name] = self._for_shape(shape)
                text = f"{name}({got})"
            case fields.List():
                item = self._expression(field.inner, "item", namespace)
                text = f"list({got})" if item == "item" else f"[{item} for item in {got}]"
            case fields.Dict() if field.value_field:
                item = self._expression(field.value_field, "item", namespace)
                text = f"{{key: {item} for key, item in {got}.items()}}"
            case DecimalString():
                namespace["decimal_text"] = decimal_text
                text = f"decimal_text({got})"
            case fields.UUID():
                text = f"str({got})"
            case _:
                return got
        return f"(None if {got} is None else {text})" if field.allow_none else text


def _attribute(member: str) -> str:
    return f"value.{member}" if member.isidentifier() and not iskeyword(member) else f"getattr(value, {member!r})"


def _key(member: str) -> str:
    return f"value[{member!r}]"
