"""The errors that an operator can correct. The command line reports them without a traceback."""

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from accord.contract.errors import ContractError
from accord.identity.signing_keys import SigningKeysError
from accord.settings import SettingsError
from accord.telemetry.tracing import TracingError
from db.errors import DatabaseUnavailable, MigrationError

EXPECTED_ERRORS = (
    SettingsError,
    ContractError,
    SigningKeysError,
    TracingError,
    DatabaseUnavailable,
    MigrationError,
    CommandError,
    DBAPIError,
    OSError,
)
