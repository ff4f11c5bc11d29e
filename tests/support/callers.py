"""Security functions, and the callers they know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    id: str
    scopes: frozenset[str] = frozenset()
    api_key_id: str | None = None


CALLERS = {
    "reader": Caller("reader", frozenset({"read"})),
    "writer": Caller("writer", frozenset({"read", "write"})),
    "nobody": Caller("nobody"),
    "robot": Caller("reader", frozenset({"read"}), api_key_id="robot"),
}


def by_token(token: str) -> Caller | None:
    return CALLERS.get(token)


async def by_token_later(token: str) -> Caller | None:
    return CALLERS.get(token)


def by_password(name: str, password: str) -> Caller | None:
    return CALLERS.get(name) if password == f"{name}:secret" else None


def by_key(key: str, keys: dict[str, str]) -> Caller | None:
    return CALLERS.get(keys.get(key, ""))


def by_broken(token: str) -> Caller | None:
    raise RuntimeError("The words of the failure.")
