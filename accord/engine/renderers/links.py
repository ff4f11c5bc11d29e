"""Links: compiles the Link Objects of the contract into the `_links` of representations."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from marshmallow.fields import UUID, Field, Nested

from accord.contract.document import component_name
from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import Integer, MarshmallowSchemas, Representation
from accord.engine.renderers.response import first_schema
from accord.engine.renderers.serializer import ROOT_PATH, LinkTemplate

if TYPE_CHECKING:
    from accord.engine.operation import Operation

Fields = Mapping[str, Field[Any]]
"""The marshmallow fields of a representation by property."""

_BODY = "$response.body#/"
_PLAIN: dict[type, tuple[str, float]] = {UUID: ("", 36), Integer: ("str", 20)}
"""The fields whose values are in URLs as they are: the function that makes text of them, and its maximum length."""
_URL = re.compile(r"[A-Za-z0-9/{}._~-]*")


def link_templates(
    operations: Mapping[str, "Operation"], marshmallow_schemas: MarshmallowSchemas
) -> dict[str, list[LinkTemplate]]:
    """
    Return the links of each component by its name.

    A link belongs to the component of the response that declares it. It appears wherever the component does, also
    within a page, so its parameters can only refer to `$response.body`. A link to an operation other than a GET is for
    tools that read the contract, and is not rendered. A parameter that is null removes the link. A query parameter
    that is absent is left out.

    Raises ContractError for a link to an unknown operation or with unsuitable parameters.
    """
    templates: dict[str, dict[str, LinkTemplate]] = {}
    members: dict[type[Representation], Fields] = {}
    for operation in operations.values():
        for status, response in operation.responses.items():
            declared = list(operation.links(status))
            if not declared:
                continue
            schema = first_schema(response)
            name = component_name(schema)
            shape = marshmallow_schemas.for_schema(schema)
            if shape and shape not in members:
                members[shape] = shape().dump_fields
            fields = members[shape] if shape else None
            for link, spec in declared:
                target = operations.get(spec.get("operationId", ""))
                if target is None:
                    unknown = f"unknown operation {spec.get('operationId')!r}; correct its operationId."
                    raise error_at(spec, f"link {link} of {operation.id}: {unknown}")
                terms = {key.rpartition(".")[2]: term for key, term in spec.get("parameters", {}).items()}
                _check_link(link, spec, operation, target, terms, fields)
                if name and shape and shape.has_links and target.method == "get" and 200 <= status < 300:
                    source, length = _link_source(link, target, terms, shape, members[shape])
                    template = LinkTemplate(link, target, source, length)
                    templates.setdefault(name, {}).setdefault(link, template)
    return {name: list(links.values()) for name, links in templates.items()}


def helpers() -> dict[str, Any]:
    """Return the functions that the sources of links call, by name."""
    return {"text": _url_text, "join_values": _join_values, "build_url": _build_url}


def _check_link(
    link: str,
    spec: Any,
    operation: "Operation",
    target: "Operation",
    terms: dict[str, Any],
    fields: Fields | None,
) -> None:
    """Raise ContractError if the link has unknown or missing parameters, or refers to unknown properties."""
    label = f"link {link} of {operation.id}"
    declared = {parameter.name: parameter for parameter in target.parameters.every}
    if unknown := [name for name in terms if name not in declared]:
        raise error_at(spec, f"{label}: {target.id} has no parameter {', '.join(unknown)}; remove it.")
    required = [parameter.name for parameter in declared.values() if parameter.location == "path"]
    if missing := [name for name in required if name not in terms]:
        raise error_at(spec, f"{label}: {target.id} requires the parameter {', '.join(missing)}; add it.")
    for term in terms.values():
        if term.startswith("$") and not term.startswith(_BODY):
            raise error_at(spec, f"{label}: {term} is not supported; use {_BODY}… or a constant.")
        member = term.removeprefix(_BODY).partition("/")[0]
        if term.startswith(_BODY) and fields is not None and member not in fields:
            raise error_at(spec, f"{label}: {term} is not a property of the response; correct it.")


def _link_source(
    link: str, target: "Operation", terms: dict[str, str], shape: type[Representation], fields: Fields
) -> tuple[str, float | None]:
    """
    Return the source of a member of `_links`, which refers to the representation as `data`, and its maximum length.

    The length is that of the URL without the root path: infinite if it is unknown, and None if names in the URL have
    characters that it cannot have.
    """
    parameters = {parameter.name: parameter for parameter in target.parameters.every}
    url = re.split(r"{([^{}]+)}", target.path_item.template)
    query: list[str] = []
    conditions: list[str] = []
    length: float = len(target.path_item.template)
    for name, term in terms.items():
        parameter = parameters[name]
        if not term.startswith(_BODY):
            value = repr(quote(term, safe=""))
            present = ""
            piece = repr(f"&{name}={quote(term, safe='')}")
            length += len(piece)
        else:
            member, *deeper = term.removeprefix(_BODY).split("/")
            property_source = f"data[{member!r}]" + "".join(f"[{part!r}]" for part in deeper)
            convert, maximum = _PLAIN.get(type(_field(fields, [member, *deeper])), ("text", inf))
            length += maximum
            value = f"{convert}({property_source})"
            joined = f"join_values({f'&{name}='!r}, {parameter.separator!r}, {property_source})"
            piece = joined if parameter.is_list else f"{f'&{name}='!r} + {value}"
            present = "" if member in shape.required else f"{member!r} in data"
            if fields[member].allow_none:
                conditions.append(f"data.get({member!r}, 0) is not None")
        if parameter.location == "path":
            url[url.index(name, 1)] = value
            if present:
                conditions.append(present)
        else:
            length += len(f"&{name}=")
            query.append(f"({piece} if {present} else '')" if present else piece)
    url[0] = ROOT_PATH + url[0]
    href = " + ".join(repr(piece) if n % 2 == 0 else piece for n, piece in enumerate(url) if piece)
    if query:
        href = f"build_url({href}, {' + '.join(query)})"
    entry = f"{link!r}: {{'href': {href}}}"
    if conditions:
        entry = f"**({{{entry}}} if {' and '.join(dict.fromkeys(conditions))} else {{}})"
    is_url = all(map(_URL.fullmatch, [target.path_item.template, *terms]))
    return entry, length if is_url else None


def _field(fields: Fields, path: list[str]) -> Field[Any] | None:
    """Return the field of the property at *path* in a representation."""
    field = fields.get(path[0])
    for member in path[1:]:
        field = field.schema.dump_fields.get(member) if isinstance(field, Nested) else None
    return field


@lru_cache(maxsize=256)
def _quote(text: str) -> str:
    # The links of a page have most of their values in common, also with those of other pages.
    return quote(text, safe="")


def _build_url(url: str, pieces: str) -> str:
    return f"{url}?{pieces[1:]}" if pieces else url


def _join_values(key: str, separator: str | None, values: list[Any]) -> str:
    texts = [_url_text(value) for value in values]
    if separator and texts:
        return key + separator.join(texts)
    return "".join(key + text for text in texts)


def _url_text(value: Any) -> str:
    if type(value) is str:
        return _quote(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return quote(value.astimezone(UTC).isoformat().replace("+00:00", "Z"), safe="")
    return _quote(str(value))
