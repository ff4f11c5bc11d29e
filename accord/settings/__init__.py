"""What an operator can set: environment variables and `.env`, read and checked once at start."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, Json, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from accord.settings.production import unsafe
from accord.settings.variables import PREFIX, variable

_ORIGIN = r"[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?"


class SettingsError(Exception):
    """The settings cannot be used; the message has a line for each wrong one, naming its variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        frozen=True,
        env_ignore_empty=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        default="development",
        description="In production, settings that are only good enough to try things out are refused.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=256, description="Server processes; one for each core is a good start.")

    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds everybody is still served after SIGTERM, while /health/ready is 503 already.",
    )
    shutdown_timeout: int = Field(
        default=20,
        ge=1,
        le=3_600,
        description="Seconds that requests in flight then have to finish, before they are undone.",
    )

    database_url: str = Field(
        default="sqlite:///accord.db",
        repr=False,
        description="Where the data lives: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
    database_pool_size: int = Field(
        default=10,
        ge=1,
        le=1_000,
        description="Connections a server process may hold to read, and as many again to write.",
    )
    database_pool_timeout: float = Field(
        default=5.0, gt=0, le=60, description="Seconds a request waits for a connection before it is answered 503."
    )
    database_statement_timeout: float = Field(
        default=10.0,
        gt=0,
        le=3_600,
        description="Seconds a statement may run, or wait for a lock, before it is cancelled.",
    )

    max_body_size: ByteSize = Field(
        default=ByteSize(1_048_576),
        ge=1_024,
        le=1_073_741_824,
        description="Largest request body, in bytes or as in 1MiB.",
    )
    body_timeout: float = Field(
        default=20.0, gt=0, le=3_600, description="Seconds a client has for sending its request body."
    )

    redis_url: str | None = Field(
        default=None,
        repr=False,
        description="Redis that counts rate limits for all server processes; unset, each process counts for itself.",
    )
    rate_limits: Json[dict[str, list[str]]] = Field(
        default="{}",  # type: ignore[arg-type]  # JSON, as the environment has it.
        description='Limits that replace those of rate limit policies, such as {"log-in": ["10 per minute"]}.',
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks, with commas between, whose X-Forwarded-For says where a request is from.",
    )
    header_timeout: float = Field(
        default=10.0, gt=0, le=3_600, description="Seconds a client has for sending the head of a request."
    )
    keep_alive_timeout: float = Field(
        default=5.0, gt=0, le=3_600, description="Seconds a connection stays open without a further request."
    )
    write_timeout: float = Field(
        default=60.0, gt=0, le=3_600, description="Seconds a client has for taking what waits to be sent to it."
    )
    cors_origins: str = Field(
        default="",
        pattern=rf"^(\*|({_ORIGIN}(,{_ORIGIN})*)?)$",
        description="Origins, with commas between, whose pages may call the API from a browser; * is all of them.",
    )
    response_cache_size: ByteSize = Field(
        default=ByteSize(16_777_216),
        ge=0,
        le=17_179_869_184,
        description="Bytes of answers that a server process keeps to give again, or as in 16MiB; 0 keeps none.",
    )

    enforce_sunset: bool = Field(
        default=False, description="Whether operations of the contract that are past their sunset are answered 410."
    )

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="Form of the log: auto is text on a terminal, and JSON everywhere else."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged, and all that is worse; requests are info."
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address that metrics are served on beside the API."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port of its own for metrics, without credentials; unset, they are only at /metrics of the API.",
    )

    data_dir: Path = Field(
        default=Path("data"),
        description="Folder for what is not in the database: uploaded files and, unless they are set, signing keys.",
    )
    signing_keys: SecretStr | None = Field(
        default=None,
        description="Private keys that sign access tokens, a JSON Web Key Set; unset, they are in the data folder.",
    )
    token_issuer: str = Field(
        default="http://127.0.0.1:8080",
        pattern=r"^https?://\S+$",
        description="Who issues access tokens: this service's public URL.",
    )
    token_audience: str = Field(default="accord", min_length=1, description="Whom access tokens are meant for.")
    access_token_lifetime: int = Field(
        default=3_600, ge=1, le=86_400, description="Seconds an access token is good for."
    )
    refresh_token_lifetime: int = Field(
        default=604_800, ge=60, le=31_536_000, description="Seconds a refresh token is good for; seven days unless set."
    )
    password_memory_cost: int = Field(
        default=19_456, ge=8, le=4_194_304, description="Memory argon2id uses for hashing one password, in KiB."
    )
    password_time_cost: int = Field(default=2, ge=1, le=100, description="Passes argon2id makes over that memory.")

    currency: str = Field(
        default="INR", pattern="^[A-Z]{3}$", description="Currency of every price, as its ISO 4217 code."
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_not_ours(cls, given: dict[str, Any]) -> dict[str, Any]:
        """`.env` may hold variables of other programs; a misspelt one of ours is still refused."""
        return {name: given[name] for name in given if name in cls.model_fields or name.upper().startswith(PREFIX)}

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql://")) or url == "sqlite:///" or not _has_port_that_reads(url):
            raise ValueError("should be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
        return url

    @field_validator("redis_url")
    @classmethod
    def _names_a_redis(cls, url: str | None) -> str | None:
        if url and (not url.startswith(("redis://", "rediss://", "unix:///")) or not _has_port_that_reads(url)):
            raise ValueError("should be redis://HOST:PORT, rediss://HOST:PORT or unix:///SOCKET")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _names_proxies(cls, proxies: str) -> str:
        try:
            return ",".join(str(ip_network(each.strip())) for each in proxies.split(",") if proxies)
        except ValueError:
            raise ValueError("should be addresses and networks, such as 127.0.0.1,10.0.0.0/8") from None

    @model_validator(mode="after")
    def _is_safe_in_production(self) -> Self:
        if self.environment == "production" and (told := unsafe(self)):
            raise ValueError("\n".join(told))
        return self


def _has_port_that_reads(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def load() -> Settings:
    """The settings as environment and `.env` give them; raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors()))) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}") from error


def _line(error: ErrorDetails) -> str:
    unknown = error["type"] == "extra_forbidden"
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    message = "there is no such setting" if unknown else error["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{variable(str(error['loc'][0]))}: {message}."
