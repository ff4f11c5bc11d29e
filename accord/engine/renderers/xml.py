"""Renderer of XML: JSON values become elements, as the XML Objects of their schemas say."""

import re
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import orjson

from accord.contract.document import component_name
from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import MarshmallowSchemas

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]|^[^A-Za-z_]")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@dataclass(slots=True)
class _ElementForm:
    """The XML form of the values of one schema, from its XML Object."""

    name: str | None = None
    namespace: str | None = None
    is_wrapped: bool = False
    members: dict[str, "_ElementForm"] = field(default_factory=dict)
    others: "_ElementForm | None" = None
    items: "_ElementForm | None" = None


_ANY = _ElementForm()


class XmlRenderer:
    """
    Renders the values of a schema as XML.

    A property is an element, which `xml: {name: …}` renames. A list is one element for each item, within another one
    if the schema has `wrapped: true`. Null is an empty element with `xsi:nil="true"`, which differs from a missing
    property. The root has the name of its schema or, in lower case, of its component.
    """

    def __init__(self, schema: Any, marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError for an XML Object that is not supported, an invalid name, or a root without a name."""
        self._schemas = marshmallow_schemas.schemas
        self._forms: dict[int, tuple[Any, _ElementForm]] = {}
        form = self._form(schema)
        names = [
            form.name,
            *(str(component_name(choice) or "").lower() for choice in [*self._schemas.alternatives(schema), schema]),
        ]
        self._root = next((name for name in names if name), "")
        if not self._root:
            raise error_at(schema, "the XML of this schema has no name; write `xml: {name: …}`.")
        self._root_form = replace(form, name=self._root, is_wrapped=True)

    def render(self, value: Any, fields: list[str] | None = None) -> bytes:
        """Return *value* as an XML document. *fields* is not used, because *value* has only the selected properties."""
        around = Element("around")
        _append(around, self._root, self._root_form, value)
        document: bytes = tostring(around[0], encoding="utf-8", xml_declaration=True)
        # XML parsers read a carriage return as a line feed, unless it is a character reference.
        return document.replace(b"\r", b"&#13;")

    def _form(self, schema: Any) -> _ElementForm:
        if id(schema) in self._forms:
            return self._forms[id(schema)][1]
        form = _ElementForm()
        # The form is stored before its members are known, so that a recursive schema ends here.
        self._forms[id(schema)] = schema, form
        for choice in [schema, *self._schemas.alternatives(schema)]:
            merged = self._schemas.merge(choice)
            xml = merged.get("xml", {})
            if unsupported := sorted(xml.keys() - {"name", "namespace", "wrapped"}):
                message = f"`xml` with {', '.join(unsupported)} is not supported; use name, namespace and wrapped."
                raise error_at(choice, message)
            form.name = form.name or xml.get("name")
            form.namespace = form.namespace or xml.get("namespace")
            form.is_wrapped = form.is_wrapped or xml.get("wrapped", False)
            for member, inner in merged.get("properties", {}).items():
                name = form.members.setdefault(member, self._form(inner)).name or member
                if not _NAME.fullmatch(name):
                    raise error_at(inner, f"{name!r} cannot be the name of an XML element; write `xml: {{name: …}}`.")
            if isinstance(merged.get("additionalProperties"), dict):
                form.others = form.others or self._form(merged["additionalProperties"])
            if isinstance(merged.get("items"), dict):
                form.items = form.items or self._form(merged["items"])
        return form


def _append(parent: Element, name: str, form: _ElementForm, value: Any) -> None:
    name = form.name or name
    if isinstance(value, list):
        around = SubElement(parent, name) if form.is_wrapped else parent
        for item in value:
            _append(around, name, form.items or _ANY, item)
        return
    element = SubElement(parent, name)
    if form.namespace:
        element.set("xmlns", form.namespace)
    match value:
        case dict():
            for member, inner in value.items():
                if member in form.members:
                    _append(element, member, form.members[member], inner)
                else:
                    _append(element, _NOT_IN_NAMES.sub(_escape_character, member) or "_", form.others or _ANY, inner)
        case None:
            element.set(_NIL, "true")
        case str():
            element.text = _NOT_IN_XML.sub("\ufffd", value)
        case _:
            element.text = orjson.dumps(value).decode()


def _escape_character(match: re.Match[str]) -> str:
    """Return the code point of a character that names of elements cannot have, such as `_x0020_` for a space."""
    return f"_x{ord(match[0]):04X}_"
