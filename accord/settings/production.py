"""The demands of production on settings."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from accord import libpq
from accord.settings.variables import variable

if TYPE_CHECKING:
    from accord.settings import Settings

# The password costs are the minimum that OWASP recommends for argon2id.
DEMANDS: "dict[str, tuple[Callable[[Settings], bool], str]]" = {
    "database_url": (
        lambda its: not _has_default_password(its.database_url),
        "a URL without a password that is the user's name or a common default",
    ),
    "redis_url": (
        lambda its: not its.database_url.startswith("sqlite:") or _is_on_this_machine(its.redis_url),
        "on this machine unless the database is PostgreSQL, because several machines cannot share SQLite",
    ),
    "trusted_proxies": (
        lambda its: its.trusted_proxies != "",
        "the proxy that terminates TLS, because this service has no TLS and tokens require it",
    ),
    "cors_origins": (lambda its: its.cors_origins != "*", "a list of origins"),
    "log_level": (lambda its: its.log_level != "debug", "info, warning or error"),
    "signing_keys": (lambda its: its.signing_keys is not None, "set, so that all servers sign with the same keys"),
    "token_issuer": (
        lambda its: its.token_issuer.startswith("https://"),
        "an https URL, because tokens require TLS",
    ),
    "password_memory_cost": (lambda its: its.password_memory_cost >= 19_456, "at least 19456"),
    "password_time_cost": (lambda its: its.password_time_cost >= 2, "at least 2"),
}
"""The demand on each setting: a check of the settings, and the text of the demand."""


def production_errors(settings: "Settings") -> list[str]:
    """Return a line for each setting that production refuses, with its variable and the demand."""
    return [
        f"{variable(name)}: in production it should be {demand}."
        for name, (is_safe, demand) in DEMANDS.items()
        if not is_safe(settings)
    ]


def _is_on_this_machine(url: str | None) -> bool:
    return url is None or urlsplit(url).hostname in {None, "localhost", "127.0.0.1", "::1"}


def _has_default_password(url: str) -> bool:
    if not url.startswith(libpq.SCHEMES):
        return False
    parameters = libpq.parse(url)
    return parameters.password is not None and parameters.password.lower() in {parameters.user, *_DEFAULT_PASSWORDS}


_DEFAULT_PASSWORDS = ("", "password", "postgres", "admin", "secret", "changeme")
