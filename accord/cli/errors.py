"""The errors that an operator can correct, in one sentence. The command line reports them without a traceback."""

import os
import sys

from asyncpg.exceptions import CannotConnectNowError, TooManyConnectionsError
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from accord import libpq
from accord.contract.errors import ContractError
from accord.identity.signing_keys import SigningKeysError
from accord.settings import SettingsError, load
from accord.telemetry.tracing import TracingError
from db.errors import DatabaseUnavailable, MigrationError

EXPECTED_ERRORS = (SettingsError, ContractError, SigningKeysError, TracingError, MigrationError)


def describe_error(error: BaseException) -> str | None:
    """Return the sentence for an error that an operator can correct; None for a failure of the program."""
    if isinstance(error, DatabaseUnavailable | DBAPIError):
        return f"The database {_database()} cannot be used ({_reason(error)}); correct it or ACCORD_DATABASE_URL."
    if isinstance(error, EXPECTED_ERRORS) or _is_alembic_error(error):
        return str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{_reason(error)}."
    return None


def _is_alembic_error(error: BaseException) -> bool:
    # Its import takes a seventh of a second, and most commands run without it.
    alembic = sys.modules.get("alembic.util")
    return alembic is not None and isinstance(error, alembic.CommandError)


def _database() -> str:
    """Return file, or hosts and name, of the database of the settings, without its password."""
    url = load().database_url
    return libpq.parse(url).address if url.startswith(libpq.SCHEMES) else str(make_url(url).database)


def is_temporary(error: DatabaseUnavailable) -> bool:
    """Return whether the database may be available later, without a change of the settings."""
    return isinstance(_cause(error), OSError | CannotConnectNowError | TooManyConnectionsError)


def _reason(error: BaseException) -> str:
    """Return the reason that the driver or the system gives, without a full stop."""
    cause = _cause(error)
    text = str(cause)
    if isinstance(cause, OSError) and cause.errno:
        # The text of asyncio's errors is that of the call, and `gaierror` has numbers of its own.
        text = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
    return " ".join(text.split()).rstrip(".") or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """Return the error of the driver or of the system."""
    while isinstance(error, DatabaseUnavailable | DBAPIError):
        inner = error.orig if isinstance(error, DBAPIError) else error.__cause__
        if inner is None:
            break
        error = inner
    return error
