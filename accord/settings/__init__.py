"""Settings of the service: environment variables and `.env`, read and validated once at start."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import ByteSize, Field, Json, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from accord import libpq
from accord.settings.production import production_errors
from accord.settings.variables import PREFIX, variable

_DOTENV = ".env"
_ORIGIN = r"[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?"


class SettingsError(Exception):
    """The settings are invalid. The message has a line for each invalid one, with the name of its variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_DOTENV,
        frozen=True,
        env_ignore_empty=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        default="development",
        description="Settings that are for development only are refused in production.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address that the service listens on.")
    port: int = Field(
        default=8080, ge=0, le=65_535, description="Port that the service listens on; 0 selects a free one."
    )
    workers: int = Field(
        default=1, ge=1, le=256, description="Number of worker processes. One for each core is a good start."
    )

    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds between SIGTERM and closing the port. Requests are served, but /health/ready is 503.",
    )
    shutdown_timeout: int = Field(
        default=20,
        ge=1,
        le=3_600,
        description="Seconds that active requests then have to finish, before they are rolled back.",
    )

    database_url: str = Field(
        default="sqlite:///accord.db",
        repr=False,
        description="URL of the database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full.",
    )
    database_pool_size: int = Field(
        default=10,
        ge=1,
        le=1_000,
        description="Connections for reading, and as many for writing, that a worker process may open.",
    )
    database_pool_timeout: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds that a request waits for a connection before the response is 503.",
    )
    database_statement_timeout: float = Field(
        default=10.0,
        gt=0,
        le=3_600,
        description="Seconds that a statement may run, or wait for a lock, before it is cancelled.",
    )

    max_body_size: ByteSize = Field(
        default=ByteSize(1_048_576),
        ge=1_024,
        le=1_073_741_824,
        description="Maximum size of a request body, in bytes or with a unit, such as 1MiB.",
    )
    body_timeout: float = Field(
        default=20.0, gt=0, le=3_600, description="Seconds that a client has to send a request body."
    )

    redis_url: str | None = Field(
        default=None,
        repr=False,
        description="URL of Redis, which counts rate limits for all processes. Unset, each process counts for itself.",
    )
    rate_limits: Json[dict[str, list[str]]] = Field(
        default="{}",  # type: ignore[arg-type]  # JSON, as the environment has it.
        description='Limits that replace those of rate limit policies, such as {"log-in": ["10 per minute"]}.',
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks, separated by commas, whose X-Forwarded-For, -Proto and -Prefix count.",
    )
    root_path: str = Field(
        default="",
        # A segment that begins with a dot could be `..`, which clients resolve.
        pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$",
        max_length=100,
        description=(
            "Path of the public URL, such as /shop, where a proxy serves this service below a path. "
            "Unset, it is X-Forwarded-Prefix of a trusted proxy; / is none."
        ),
    )
    header_timeout: float = Field(
        default=10.0, gt=0, le=3_600, description="Seconds that a client has to send the headers of a request."
    )
    keep_alive_timeout: float = Field(
        default=620.0,
        gt=0,
        le=86_400,
        description="Seconds that a connection without a request stays open; longer than the proxy keeps it.",
    )
    write_timeout: float = Field(
        default=60.0,
        gt=0,
        le=3_600,
        description="Seconds that a client has to receive the bytes that wait to be sent to it.",
    )
    cors_origins: str = Field(
        default="",
        pattern=rf"^(\*|({_ORIGIN}(,{_ORIGIN})*)?)$",
        description="Origins whose pages may call the API from a browser, separated by commas; * allows all origins.",
    )
    response_cache_size: ByteSize = Field(
        default=ByteSize(16_777_216),
        ge=0,
        le=17_179_869_184,
        description="Size of the response cache of a process, in bytes or with a unit, such as 16MiB; 0 disables it.",
    )

    enforce_sunset: bool = Field(
        default=False, description="Whether operations of the contract respond 410 after their sunset."
    )

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="Format of the log; auto is text on a terminal, and JSON otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged. Requests have the level info."
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address that the separate port of the metrics is opened on."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Separate port for metrics, without authentication. Unset, only /metrics of the API has them.",
    )

    data_dir: Path = Field(
        default=Path("data"),
        description="Folder for data outside of the database: uploaded files, and signing keys unless they are set.",
    )
    signing_keys: SecretStr | None = Field(
        default=None,
        description="JSON Web Key Set of private keys that sign access tokens. Unset, they are in the data folder.",
    )
    token_issuer: str = Field(
        default="http://127.0.0.1:8080",
        pattern=r"^https?://\S+$",
        description="Issuer (`iss`) of access tokens: the public URL of this service.",
    )
    token_audience: str = Field(default="accord", min_length=1, description="Audience (`aud`) of access tokens.")
    access_token_lifetime: int = Field(
        default=3_600, ge=1, le=86_400, description="Seconds that an access token is valid."
    )
    refresh_token_lifetime: int = Field(
        default=604_800,
        ge=60,
        le=31_536_000,
        description="Seconds that a refresh token is valid; the default is seven days.",
    )
    refresh_token_grace: int = Field(
        default=30,
        ge=0,
        le=60,
        description="Seconds in which a repeated refresh gets the same refresh token again; 0 turns this off.",
    )
    password_memory_cost: int = Field(
        default=19_456, ge=8, le=4_194_304, description="Memory that argon2id uses to hash one password, in KiB."
    )
    password_time_cost: int = Field(
        default=2, ge=1, le=100, description="Number of passes of argon2id over that memory."
    )

    currency: str = Field(
        default="INR", pattern="^[A-Z]{3}$", description="ISO 4217 code of the currency of all prices."
    )

    @model_validator(mode="before")
    @classmethod
    def _select_own_variables(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Leave out variables of other programs, which `.env` may contain. A misspelt `ACCORD_` variable stays."""
        return {name: values[name] for name in values if name in cls.model_fields or name.upper().startswith(PREFIX)}

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        if url.startswith(libpq.SCHEMES):
            libpq.parse(url)
        elif not url.startswith("sqlite:///") or url == "sqlite:///":
            raise ValueError("should be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
        return url

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        if url and (not url.startswith(("redis://", "rediss://", "unix:///")) or not _has_valid_port(url)):
            raise ValueError("should be redis://HOST:PORT, rediss://HOST:PORT or unix:///SOCKET")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _parse_proxies(cls, proxies: str) -> str:
        try:
            return ",".join(str(ip_network(each.strip())) for each in proxies.split(",") if proxies)
        except ValueError:
            raise ValueError("should be addresses and networks, such as 127.0.0.1,10.0.0.0/8") from None

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if self.environment == "production" and (errors := production_errors(self)):
            raise ValueError("\n".join(errors))
        return self


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def load() -> Settings:
    """Return the settings of the environment and of `.env`, where the environment wins. Raises SettingsError."""
    known = {variable(name) for name in Settings.model_fields}
    errors = [
        _unknown_variable(name) for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
    try:
        if unreadable := [*_unreadable_lines()]:
            raise SettingsError("\n".join([*unreadable, *errors]))
        settings = Settings()
        if not errors:
            return settings
    except ValidationError as error:
        errors += map(_error_line, error.errors())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}") from error
    raise SettingsError("\n".join(errors))


def _unreadable_lines() -> Iterator[str]:
    """Yield an error for each line of `.env` that python-dotenv skips, such as one without `=`."""
    file = Path(_DOTENV)
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as lines:
        for binding in parse_stream(lines):
            if binding.error or (binding.key and binding.value is None):
                text = binding.original.string
                line = binding.original.line + text[: -len(text.lstrip())].count("\n")
                yield f"{file}:{line}: this is no NAME=VALUE, so that nothing is set; correct it."


def _unknown_variable(name: str) -> str:
    nearest = get_close_matches(name[len(PREFIX) :].lower(), Settings.model_fields, 1)
    remedy = f"did you mean {variable(nearest[0])}?" if nearest else "`main.py settings` lists all of them."
    return f"{name}: unknown setting; {remedy}"


def _error_line(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    if error["type"] == "extra_forbidden":
        return _unknown_variable(variable(str(error["loc"][0])))
    return f"{variable(str(error['loc'][0]))}: {message.rstrip('.')}."
