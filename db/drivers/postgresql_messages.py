"""Messages of PostgreSQL's extended query protocol (PostgreSQL documentation, sections 55.2.3 and 55.7)."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto

_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
_NULL = b"\xff\xff\xff\xff"


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
    if bytes in map(type, arguments):
        formats = count + b"".join([b"\0\1" if type(value) is bytes else b"\0\0" for value in arguments])
    parts = [b"\0", name.encode(), b"\0", formats, count]
    for value in arguments:
        if value is None:
            parts.append(_NULL)
        else:
            content = (_ENCODERS.get(type(value)) or _encoder(value))(value)
            parts += len(content).to_bytes(4, "big"), content
    parts.append(b"\0\0")
    return _message(b"B", b"".join(parts)) + _EXECUTE


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def _encode_text(value: Any) -> bytes:
    return str(value).encode()


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bytes: bytes,
    str: str.encode,
    **dict.fromkeys((int, float, Decimal, UUID, pgproto.UUID, date, datetime), _encode_text),
}
"""Functions that encode an argument, by its type. Others are found by the class that the type derives from."""


def _encoder(value: Any) -> Callable[[Any], bytes]:
    if isinstance(value, str):
        # The `str` of a member of an enumeration is its name.
        return str.encode
    if isinstance(value, (int, float, Decimal, UUID, date)):
        # PostgreSQL reads their `str`, whatever the type of the parameter.
        return _encode_text
    raise TypeError(f"A {type(value).__name__} cannot be an argument of a statement that runs later.")
