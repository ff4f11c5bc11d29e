"""The settings that production refuses."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from accord.settings.variables import variable

if TYPE_CHECKING:
    from accord.settings import Settings

# The password costs are the least that OWASP recommends for argon2id.
DEMANDS: "dict[str, tuple[Callable[[Settings], bool], str]]" = {
    "database_url": (
        lambda its: not _has_default_password(its.database_url),
        "without a password that is its user's name, or one that everybody tries first",
    ),
    "redis_url": (
        lambda its: not its.database_url.startswith("sqlite:") or _is_on_this_machine(its.redis_url),
        "on this machine, or the database PostgreSQL: several machines cannot share SQLite",
    ),
    "trusted_proxies": (
        lambda its: its.trusted_proxies != "",
        "the proxy that has TLS, because tokens travel over TLS only and this service has none",
    ),
    "cors_origins": (lambda its: its.cors_origins != "*", "a list of origins"),
    "log_level": (lambda its: its.log_level != "debug", "info, or less"),
    "signing_keys": (lambda its: its.signing_keys is not None, "set, so that every server signs with the same keys"),
    "issuer": (
        lambda its: its.token_issuer.startswith("https://"),
        "an https URL, because tokens travel over TLS only",
    ),
    "password_memory_kib": (lambda its: its.password_memory_cost >= 19_456, "at least 19456"),
    "password_time_cost": (lambda its: its.password_time_cost >= 2, "at least 2"),
}
"""By setting, what makes it good enough for production, and how that is said."""


def unsafe(settings: "Settings") -> list[str]:
    """Return what production would refuse: a line for each setting, with its remedy."""
    return [
        f"{variable(name)}: in production it should be {demand}."
        for name, (is_safe, demand) in DEMANDS.items()
        if not is_safe(settings)
    ]


def _is_on_this_machine(url: str | None) -> bool:
    return url is None or urlsplit(url).hostname in {None, "localhost", "127.0.0.1", "::1"}


def _has_default_password(url: str) -> bool:
    read = urlsplit(url)
    return read.password is not None and read.password.lower() in {read.username, *_DEFAULT_PASSWORDS}


_DEFAULT_PASSWORDS = ("", "password", "postgres", "admin", "secret", "changeme")
