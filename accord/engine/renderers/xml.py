"""Writes JSON values as XML, in the form that the `xml` objects of their schemas describe."""

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
    """What XML is made of the values of one schema."""

    name: str | None = None
    namespace: str | None = None
    is_wrapped: bool = False
    members: dict[str, "_ElementForm"] = field(default_factory=dict)
    others: "_ElementForm | None" = None
    items: "_ElementForm | None" = None


_ANY = _ElementForm()


class XmlRenderer:
    """
    Writes the values of a schema as XML.

    A member is an element, which `xml: {name: …}` renames; a list is an element for each item, and one
    around them where `wrapped: true` says so. Null is an empty element with `xsi:nil="true"`, and so
    differs from a member that is not there. The root has the name of its schema or, in lower case, of
    its component.
    """

    def __init__(self, schema: Any, marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError if the schema asks for what is not written, or gives the root no name."""
        self._schemas = marshmallow_schemas.schemas
        self._forms: dict[int, _ElementForm] = {}
        form = self._form(schema)
        names = [
            form.name,
            *(str(component_name(choice) or "").lower() for choice in self._schemas.alternatives(schema)),
        ]
        self._root = next((name for name in names if name), "")
        if not self._root:
            raise error_at(schema, "the XML of this schema has no name; say `xml: {name: …}`.")
        self._whole = replace(form, name=self._root, is_wrapped=True)

    def render(self, value: Any, fields: list[str] | None = None) -> bytes:
        """Return *value* as a document; *value* has no other members than *fields* already."""
        around = Element("around")
        _append(around, self._root, self._whole, value)
        written: bytes = tostring(around[0], encoding="utf-8", xml_declaration=True)
        # Parsers take a carriage return for a line feed, unless it is a reference.
        return written.replace(b"\r", b"&#13;")

    def _form(self, schema: Any) -> _ElementForm:
        if id(schema) in self._forms:
            return self._forms[id(schema)]
        form = _ElementForm()
        self._forms[id(schema)] = form  # Kept first, so that a cycle ends here.
        for choice in [schema, *self._schemas.alternatives(schema)]:
            flat = self._schemas.merged(choice)
            said = flat.get("xml", {})
            if unknown := sorted(said.keys() - {"name", "namespace", "wrapped"}):
                raise error_at(
                    choice, f"XML with {', '.join(unknown)} is not written; name, namespace and wrapped are."
                )
            form.name = form.name or said.get("name")
            form.namespace = form.namespace or said.get("namespace")
            form.is_wrapped = form.is_wrapped or said.get("wrapped", False)
            for member, inner in flat.get("properties", {}).items():
                made = form.members.setdefault(member, self._form(inner))
                if not _NAME.fullmatch(made.name or member):
                    raise error_at(
                        inner, f"{made.name or member!r} is no name of an XML element; say `xml: {{name: …}}`."
                    )
            if isinstance(flat.get("additionalProperties"), dict):
                form.others = form.others or self._form(flat["additionalProperties"])
            if isinstance(flat.get("items"), dict):
                form.items = form.items or self._form(flat["items"])
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
                    _append(element, _NOT_IN_NAMES.sub(_with_positions, member) or "_", form.others or _ANY, inner)
        case None:
            element.set(_NIL, "true")
        case str():
            element.text = _NOT_IN_XML.sub("\ufffd", value)
        case _:
            element.text = orjson.dumps(value).decode()


def _with_positions(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"
