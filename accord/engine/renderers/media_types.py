"""Content negotiation of responses: selects the renderer of the media type that the caller prefers."""

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
_HTML = "text/html"
_PARAMETERS = {"text/csv": "; charset=utf-8; header=present"}


class Renderers:
    """The media types of a response. JSON is first, and the others are rendered from it."""

    def __init__(
        self, response: ResponseDefinition, marshmallow_schemas: MarshmallowSchemas, page: str | None = None
    ) -> None:
        """Raise ContractError for a media type without a renderer. *page* is the path of the page in HTML, if any."""
        content = response.contents
        first, *others = content
        self._by_name = {first: MediaType(first.encode())}
        if others and not response.is_json:
            raise error_at(
                content[first], f"{response.label}: JSON must be first, because {first} is rendered from it."
            )
        for name in others:
            if name not in _RENDERERS:
                known = ", ".join(_RENDERERS)
                raise error_at(content[name], f"{response.label}: {name} has no renderer; use {known} after JSON.")
            renderer = _RENDERERS[name](content[name].get("schema", True), marshmallow_schemas)
            content_type = name + _PARAMETERS.get(name, "")
            tag_suffix = "-" + name.partition("/")[2]
            self._by_name[name] = MediaType(content_type.encode(), tag_suffix.encode(), renderer.render)
        self.every = list(self._by_name.values())
        self._names = ", ".join(content)
        if response.is_json:
            # A client that accepts JSON also accepts media types such as `application/problem+json`.
            self._by_name.setdefault("application/json", self.every[0])
        if page:
            self._by_name.setdefault(_HTML, MediaType(_HTML.encode(), location=page.encode()))
        self._available = tuple(self._by_name)
        # The most frequent headers are looked up without parsing.
        self._by_accept = {None: self.every[0], b"*/*": self.every[0], first.encode(): self.every[0]}

    def select(self, accept: bytes | None) -> MediaType:
        """Return the media type that the header *accept* prefers. Raises a 406 Problem if it accepts none."""
        media_type = self._by_accept.get(accept)
        if media_type is None:
            name = best_match(accept or b"", self._available)
            if name is None:
                raise Problem(406, f"Accept allows none of: {self._names}.")
            media_type = self._by_name[name]
        return media_type
