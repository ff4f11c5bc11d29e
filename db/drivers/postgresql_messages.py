"""Messages of PostgreSQL's extended query protocol (PostgreSQL documentation, sections 55.2.3 and 55.7)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
_NULL = b"\xff\xff\xff\xff"
_AS_TEXT = (int, float, Decimal, UUID, date)
"""Types whose `str` PostgreSQL reads, whatever the type of the parameter."""


def parse_message(sql: str) -> bytes:
    """Return the message that parses a statement without a name."""
    return _message(b"P", b"\0" + sql.encode() + b"\0\0\0")


def run_messages(name: str, arguments: Sequence[Any]) -> bytes:
    """
    Return the messages that run the statement *name*, with its arguments as text, and bytes as they are.

    Raises TypeError for an argument of another type.
    """
    count = len(arguments).to_bytes(2, "big")
    # Without format codes, all arguments are texts.
    formats = b"\0\0"
    if any(isinstance(value, bytes) for value in arguments):
        formats = count + b"".join(b"\0\1" if isinstance(value, bytes) else b"\0\0" for value in arguments)
    values = b"".join(map(_encode, arguments))
    return _message(b"B", b"\0%b\0%b%b%b\0\0" % (name.encode(), formats, count, values)) + _EXECUTE


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def _encode(value: Any) -> bytes:
    if value is None:
        return _NULL
    if isinstance(value, bytes):
        content = value
    elif isinstance(value, str):
        # The `str` of a member of an enumeration is its name.
        content = value.encode()
    elif isinstance(value, _AS_TEXT):
        content = str(value).encode()
    else:
        raise TypeError(f"A {type(value).__name__} cannot be an argument of a statement that runs later.")
    return len(content).to_bytes(4, "big") + content
