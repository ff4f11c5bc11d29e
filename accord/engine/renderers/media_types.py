"""The media types that an answer can have, and the one of them that a caller gets."""

from collections.abc import Callable
from typing import Any

from accord.contract.errors import at
from accord.engine.marshmallow_schemas import Representations
from accord.engine.negotiation import MediaType, preferred
from accord.engine.problems import Problem
from accord.engine.renderers.csv import Rows
from accord.engine.renderers.response import Response
from accord.engine.renderers.xml import Xml

_WRITERS: dict[str, Callable[[Any, Representations], Xml | Rows]] = {"application/xml": Xml, "text/csv": Rows}
_PARAMETERS = {"text/csv": "; charset=utf-8; header=present"}


class MediaTypes:
    """The media types of a response, JSON first; the others are made of it."""

    def __init__(self, response: Response, representations: Representations) -> None:
        """Raise ContractError if a media type cannot be written."""
        content = response.contents
        first, *others = content
        self._by_name = {first: MediaType(first.encode())}
        if others and not response.is_json:
            raise at(content[first], f"{response.label}: JSON comes first, of which {first} is made.")
        for name in others:
            if name not in _WRITERS:
                known = ", ".join(_WRITERS)
                raise at(content[name], f"{response.label}: {name} cannot be written; {known} can, after JSON.")
            written = _WRITERS[name](content[name].get("schema", True), representations)
            full, suffix = name + _PARAMETERS.get(name, ""), "-" + name.partition("/")[2]
            self._by_name[name] = MediaType(full.encode(), suffix.encode(), written.write)
        self.every = list(self._by_name.values())
        self._names = ", ".join(content)
        if response.is_json:
            # Who takes JSON takes what is a kind of it.
            self._by_name.setdefault("application/json", self.every[0])
        self._offered = tuple(self._by_name)
        self._at_once = {None: self.every[0], b"*/*": self.every[0]}

    def chosen(self, accept: bytes | None) -> MediaType:
        """Return the one that the header *accept* asks for; raises a 406 Problem if it asks for none of them."""
        media_type = self._at_once.get(accept)
        if media_type is None:
            name = preferred(accept or b"", self._offered)
            if name is None:
                raise Problem(406, f"The answer is {self._names}, of which Accept has none.")
            media_type = self._by_name[name]
        return media_type
