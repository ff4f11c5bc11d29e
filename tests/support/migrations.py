"""Migrations that a team writes, beside those of the repository."""

import os
from functools import partial

from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import TypeDecorator, text

from db import migrations
from db.database_objects import find_missing
from db.types import Amount, Identifier, UTCDateTime
from tests.support.server import ROOT

HEADER = "import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {!r}\ndown_revision = {!r}\n\n\n"


class Team:
    """A team that writes migrations in a folder of its own, after those of the service."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.config = Config(ROOT / "alembic.ini")
        self.config.set_main_option("version_locations", os.pathsep.join([str(ROOT / "alembic/versions"), str(folder)]))
        self.config.attributes["url"] = url
        self.newest = migrations.head_revision()

    def write(self, upgrade, downgrade="    pass"):
        """Write the next migration, with the bodies of its functions."""
        number = f"{int(self.newest) + 1:04}"
        functions = f"def upgrade():\n{upgrade}\n\n\ndef downgrade():\n{downgrade}\n"
        file = self.folder / f"{number}_team.py"
        file.write_text(HEADER.format(number, self.newest) + functions)
        self.newest = number
        return file

    def generate(self, metadata):
        """Write the migration that `alembic revision --autogenerate` writes for these models."""

        def render(connection):
            options = {"compare_type": True, "render_item": render_item}
            context = MigrationContext.configure(connection, opts=options)
            made = produce_migrations(context, metadata)
            render = partial(
                render_python_code, render_as_batch=connection.dialect.name == "sqlite", migration_context=context
            )
            return [f"    {render(operations)}" for operations in (made.upgrade_ops, made.downgrade_ops)]

        return self.write(*self.run(render))

    def upgrade(self, revision="head"):
        command.upgrade(self.config, revision)

    def downgrade(self, revision):
        command.downgrade(self.config, revision)

    def run(self, function):
        return migrations.run_with_connection(self.url, function)

    def missing(self):
        return [str(item) for item in self.run(partial(find_missing, is_exact=True))]

    def version(self):
        return self.run(lambda connection: connection.scalar(text("SELECT sum(version) FROM cache_versions")))


def render_item(kind, item, context):
    """What alembic/env.py renders; Alembic runs that file, so that it cannot be imported."""
    source = ROOT.joinpath("alembic/env.py").read_text().partition("def render_item")[2].partition("\n\n\n")[0]
    names = {each.__name__: each for each in (Amount, Identifier, TypeDecorator, UTCDateTime)}
    exec(f"def render_item{source}", names)  # noqa: S102
    return names["render_item"](kind, item, context)
