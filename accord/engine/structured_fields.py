"""Structured field values of headers (RFC 9651)."""

import re

MAX_KEY_LENGTH = 255

_STRING = r'"((?:[ !#-\[\]-~]|\\["\\])*)"'
# Of the value of a parameter, this is a superset: parameters are ignored.
_PARAMETER = rf"; *[a-z*][a-z0-9_.*-]*(?:=(?:%?{_STRING.replace('(', '(?:', 1)}|[!#-+\--:<-~]+))?"
_STRING_ITEM = re.compile(rf"({_STRING})(?:{_PARAMETER})*")
_BARE_KEY = re.compile(r"[!#-~][!-~]*")
_ESCAPED = re.compile(r"\\(.)")


def parse_key(text: str) -> tuple[str, str]:
    """
    Return the item in a header that has a key, without parameters, and the key itself.

    The item is a String (`"8e03978e"`, section 3.3.3), or the bare key (`8e03978e`), which has visible characters and
    does not begin with a quotation mark. Raises ValueError with a message for the client.
    """
    text = text.strip(" ")
    if match := _STRING_ITEM.fullmatch(text):
        item, key = match[1], _ESCAPED.sub(r"\1", match[2])
    elif _BARE_KEY.fullmatch(text):
        item = key = text
    else:
        raise ValueError('The value must be one string in quotes, such as "8e03978e", or visible ASCII characters.')
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise ValueError(f"The key must have 1 to {MAX_KEY_LENGTH} characters.")
    return item, key
