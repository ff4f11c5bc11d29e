"""Turns the Link Objects of the contract into the `_links` of representations."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from marshmallow.fields import Field

from accord.contract.document import component_name
from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import MarshmallowSchemas, Representation
from accord.engine.renderers.serializer import LinkTemplate

if TYPE_CHECKING:
    from accord.engine.operation import Operation

Fields = Mapping[str, Field[Any]]
"""The members of a representation."""

_BODY = "$response.body#/"


def link_templates(
    operations: Mapping[str, "Operation"], representations: MarshmallowSchemas
) -> dict[str, list[LinkTemplate]]:
    """
    Return, for each component, the members of its `_links`.

    A link belongs to the component whose response declares it, and so appears wherever
    the component does, also inside a page; that is why it speaks of `$response.body` only.
    A link to what is not a GET is for tools that follow the contract, and not shown. A
    parameter that is null makes the link go, one that is absent is left out of the query.

    Raises ContractError for a link to nowhere, or one that cannot be followed.
    """
    found: dict[str, dict[str, LinkTemplate]] = {}
    members: dict[type[Representation], Fields] = {}
    for operation in operations.values():
        for status, response in operation.responses.items():
            name = component_name(response.schema)
            shape = representations.for_schema(response.schema)
            if shape and shape not in members:
                members[shape] = shape().dump_fields
            fields = members[shape] if shape else None
            for link, spec in operation.links(status):
                target = operations.get(spec.get("operationId", ""))
                if target is None:
                    raise error_at(
                        spec, f"link {link} of {operation.id} leads to no operation: {spec.get('operationId')!r}."
                    )
                terms = {key.rpartition(".")[2]: term for key, term in spec.get("parameters", {}).items()}
                _check(link, spec, operation, target, terms, fields)
                if name and shape and shape.has_links and target.method == "get" and 200 <= status < 300:
                    shown = LinkTemplate(link, target, _link_template(link, target, terms, shape, members[shape]))
                    found.setdefault(name, {}).setdefault(link, shown)
    return {name: list(links.values()) for name, links in found.items()}


def helpers() -> dict[str, Any]:
    """Return what the sources call."""
    return {"text": _text, "listed": _join_values, "joined": _build_url}


def _check(
    link: str,
    spec: Any,
    operation: "Operation",
    target: "Operation",
    terms: dict[str, Any],
    fields: Fields | None,
) -> None:
    known = {parameter.name: parameter for parameter in target.parameters.every}
    if unknown := [name for name in terms if name not in known]:
        raise error_at(spec, f"link {link} of {operation.id}: {target.id} has no parameter {', '.join(unknown)}.")
    needed = [parameter.name for parameter in known.values() if parameter.place == "path"]
    if missing := [name for name in needed if name not in terms]:
        raise error_at(
            spec, f"link {link} of {operation.id} does not say the parameter {', '.join(missing)} of {target.id}."
        )
    for term in terms.values():
        if term.startswith("$") and not term.startswith(_BODY):
            raise error_at(spec, f"link {link} of {operation.id}: {term} cannot be told; speak of {_BODY}… only.")
        member = term.removeprefix(_BODY).partition("/")[0]
        if term.startswith(_BODY) and fields is not None and member not in fields:
            raise error_at(spec, f"link {link} of {operation.id}: {term} is no member of the response.")


def _link_template(
    link: str, target: "Operation", terms: dict[str, str], shape: type[Representation], fields: Fields
) -> str:
    """Write the source of a member of `_links`, from the members of `made`."""
    parameters = {parameter.name: parameter for parameter in target.parameters.every}
    url = re.split(r"{([^{}]+)}", target.path_item.template)
    query: list[str] = []
    conditions: list[str] = []
    for name, term in terms.items():
        parameter = parameters[name]
        if not term.startswith(_BODY):
            value, present = repr(quote(term, safe="")), ""
            piece = repr(f"&{name}={quote(term, safe='')}")
        else:
            member, *deeper = term.removeprefix(_BODY).split("/")
            got = f"made[{member!r}]" + "".join(f"[{part!r}]" for part in deeper)
            value = f"{'str' if parameter.is_plain else 'text'}({got})"
            listed = f"listed({f'&{name}='!r}, {parameter.separator!r}, {got})"
            piece = listed if parameter.is_list else f"{f'&{name}='!r} + {value}"
            present = "" if member in shape.required else f"{member!r} in made"
            if fields[member].allow_none:
                conditions.append(f"made.get({member!r}, 0) is not None")
        if parameter.place == "path":
            url[url.index(name, 1)] = value
            conditions += [present] if present else []
        else:
            query.append(f"({piece} if {present} else '')" if present else piece)
    href = " + ".join(repr(piece) if n % 2 == 0 else piece for n, piece in enumerate(url) if piece)
    if query:
        href = f"joined({href}, {' + '.join(query)})"
    entry = f"{link!r}: {{'href': {href}}}"
    return f"**({{{entry}}} if {' and '.join(dict.fromkeys(conditions))} else {{}})" if conditions else entry


def _build_url(url: str, pieces: str) -> str:
    return f"{url}?{pieces[1:]}" if pieces else url


def _join_values(key: str, separator: str | None, values: list[Any]) -> str:
    texts = [_text(value) for value in values]
    if separator and texts:
        return key + separator.join(texts)
    return "".join(key + text for text in texts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return quote(value.astimezone(UTC).isoformat().replace("+00:00", "Z"), safe="")
    return quote(str(value), safe="")
