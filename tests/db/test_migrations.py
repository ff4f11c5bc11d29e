"""Migrations make what the models describe, and undo it."""

from concurrent.futures import ProcessPoolExecutor
from json import dumps
from multiprocessing import get_context

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from db import Base, migrations, models
from tests.support.databases import KINDS, fresh_database


def differences(url):
    def compare(connection):
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)

    return migrations.run_with_connection(url, compare)


def tables(url):
    return migrations.run_with_connection(url, lambda connection: set(inspect(connection).get_table_names()))


def listed(about):
    return about if isinstance(about, list) else [about]


def described(url):
    """All that the database says of its tables."""

    def describe(connection):
        look = inspect(connection)
        return {
            table: {
                about.__name__: sorted(dumps(part, default=str, sort_keys=True) for part in listed(about(table)))
                for about in (
                    look.get_columns,
                    look.get_indexes,
                    look.get_pk_constraint,
                    look.get_foreign_keys,
                    look.get_unique_constraints,
                    look.get_check_constraints,
                )
            }
            for table in look.get_table_names()
            if table != "alembic_version"
        }

    return migrations.run_with_connection(url, describe)


def test_models_and_migrations_agree(migrated_url):
    assert differences(migrated_url) == []


@pytest.mark.parametrize("kind", KINDS)
def test_models_and_migrations_make_the_same_tables(kind, tmp_path):
    made_by_models, made_by_migrations = fresh_database(kind, tmp_path), fresh_database(kind, tmp_path)
    migrations.run_with_connection(made_by_models, Base.metadata.create_all)
    migrations.upgrade(made_by_migrations)
    assert described(made_by_migrations) == described(made_by_models)


def test_a_difference_would_be_seen(migrated_url):
    table = models.Tag.__table__
    index = next(iter(table.indexes))
    table.indexes.remove(index)
    try:
        assert [kind for kind, *_ in differences(migrated_url)] == ["remove_index"]
    finally:
        table.indexes.add(index)


def test_empty_database_has_no_revision(database_url):
    assert migrations.current_revision(database_url) is None


def test_upgraded_database_is_at_the_head(migrated_url):
    assert migrations.current_revision(migrated_url) == migrations.head_revision()


def test_upgrading_twice_changes_nothing(migrated_url):
    migrations.upgrade(migrated_url)
    assert differences(migrated_url) == []


def test_every_migration_goes_down_and_up_again(database_url):
    revisions = [
        script.revision for script in ScriptDirectory.from_config(migrations._config(database_url)).walk_revisions()
    ]
    for revision in reversed(revisions):
        before = tables(database_url)
        migrations.upgrade(database_url, revision)
        assert migrations.current_revision(database_url) == revision
        migrations.downgrade(database_url, "-1")
        assert tables(database_url) - {"alembic_version"} == before - {"alembic_version"}
        migrations.upgrade(database_url, revision)
    migrations.downgrade(database_url, "base")
    assert tables(database_url) == {"alembic_version"}


def test_a_failing_migration_leaves_nothing_behind(database_url, monkeypatch):
    def fail(connection):
        connection.exec_driver_sql("create table half_done (id integer)")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        migrations.run_with_connection(database_url, fail, alone=True)
    assert tables(database_url) == set()


def test_servers_that_start_at_once_migrate_once(database_url):
    with ProcessPoolExecutor(3, get_context("spawn")) as servers:
        list(servers.map(migrations.upgrade, [database_url] * 3))
    assert migrations.current_revision(database_url) == migrations.head_revision()
    assert differences(database_url) == []
