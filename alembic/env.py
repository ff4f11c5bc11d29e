"""The environment of the migrations. They run in one transaction, and no two runs at the same time."""

from alembic import context
from sqlalchemy import TypeDecorator

from db import Base, database_objects, models
from db.altered_tables import keep_triggers
from db.migrations import report_errors, run_with_connection
from db.types import Amount, Identifier, UTCDateTime

assert models


def migrate(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
    )
    with report_errors(context.script), keep_triggers(connection):
        before = context.get_context().get_current_heads()
        context.run_migrations()
        heads = context.get_context().get_current_heads()
        if heads != before:
            # Servers run meanwhile, and no trigger counts what a statement such as ALTER TABLE does to rows.
            database_objects.expire_cached_responses(connection)
        # The list has the objects of the newest revision.
        if is_upgrade_or_downgrade() and heads and set(heads) == set(context.script.get_heads()):
            database_objects.restore(connection)


def is_upgrade_or_downgrade() -> bool:
    """Return False for `current`, `check` and `revision`, which run this module as well."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def render_item(kind, item, _):
    """Return the source of a type of `db/types.py` for a new migration, because migrations import nothing of `db`."""
    match item:
        case Identifier():
            return 'sa.Uuid().with_variant(sa.CHAR(36), "sqlite")'
        case Amount(digits=digits):
            return f'sa.Numeric({digits}, 2).with_variant(sa.BigInteger(), "sqlite")'
        case UTCDateTime():
            return "sa.DateTime(timezone=True)"
        case TypeDecorator():
            raise TypeError(f"Migrations cannot contain {type(item).__name__}: add its {kind} to alembic/env.py.")
    return False


def url() -> str:
    if database_url := context.config.attributes.get("url"):
        return database_url
    from accord.settings import Settings

    return Settings().database_url


if context.is_offline_mode():
    raise SystemExit("Migrations read the database that they change. Run them without --sql.")
run_with_connection(url(), migrate, alone=True)
