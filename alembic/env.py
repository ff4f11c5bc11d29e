"""The environment of the migrations. They run in one transaction, and no two runs at the same time."""

from alembic import context

from db import Base, models
from db.migrations import run_with_connection

assert models


def migrate(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


def url() -> str:
    if database_url := context.config.attributes.get("url"):
        return database_url
    from accord.settings import Settings

    return Settings().database_url


if context.is_offline_mode():
    raise SystemExit("Migrations read the database that they change. Run them without --sql.")
run_with_connection(url(), migrate, alone=True)
