"""The media types that an answer can have, and the one of them that a caller gets."""

from collections.abc import Callable
from typing import Any

from accord.contract.errors import error_at
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.negotiation import MediaType, best_match
from accord.engine.problems import Problem
from accord.engine.renderers.csv import CsvRenderer
from accord.engine.renderers.response import ResponseDefinition
from accord.engine.renderers.xml import XmlRenderer

_RENDERERS: dict[str, Callable[[Any, MarshmallowSchemas], XmlRenderer | CsvRenderer]] = {
    "application/xml": XmlRenderer,
    "text/csv": CsvRenderer,
}
_PARAMETERS = {"text/csv": "; charset=utf-8; header=present"}


class Renderers:
    """The media types of a response, JSON first; the others are made of it."""

    def __init__(self, response: ResponseDefinition, marshmallow_schemas: MarshmallowSchemas) -> None:
        """Raise ContractError if a media type cannot be written."""
        content = response.contents
        first, *others = content
        self._by_name = {first: MediaType(first.encode())}
        if others and not response.is_json:
            raise error_at(content[first], f"{response.label}: JSON comes first, of which {first} is made.")
        for name in others:
            if name not in _RENDERERS:
                known = ", ".join(_RENDERERS)
                raise error_at(content[name], f"{response.label}: {name} cannot be written; {known} can, after JSON.")
            written = _RENDERERS[name](content[name].get("schema", True), marshmallow_schemas)
            full, suffix = name + _PARAMETERS.get(name, ""), "-" + name.partition("/")[2]
            self._by_name[name] = MediaType(full.encode(), suffix.encode(), written.render)
        self.every = list(self._by_name.values())
        self._names = ", ".join(content)
        if response.is_json:
            # Who takes JSON takes what is a kind of it.
            self._by_name.setdefault("application/json", self.every[0])
        self._available = tuple(self._by_name)
        self._at_once = {None: self.every[0], b"*/*": self.every[0]}

    def select(self, accept: bytes | None) -> MediaType:
        """Return the one that the header *accept* asks for; raises a 406 Problem if it asks for none of them."""
        media_type = self._at_once.get(accept)
        if media_type is None:
            name = best_match(accept or b"", self._available)
            if name is None:
                raise Problem(406, f"The answer is {self._names}, of which Accept has none.")
            media_type = self._by_name[name]
        return media_type
