"""Whatever a migration does to a table, the database has what the service relies on: one list, made from the models."""

from functools import partial
from textwrap import dedent

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    desc,
    func,
    text,
)
from sqlalchemy.orm import Session

from db import Base, migrations, models
from db.altered_tables import keep_triggers
from db.cache_versions import TAGS
from db.database_objects import declared_objects, find_missing, restore
from db.errors import DatabaseUnavailable, MigrationError
from db.triggers import counted
from services import health
from tests.support.databases import fresh_database
from tests.support.migrations import Team

TABLES = [table.name for table in Base.metadata.sorted_tables]


@pytest.fixture
def team(migrated_url, tmp_path):
    (tmp_path / "versions").mkdir()
    return Team(migrated_url, tmp_path / "versions")


def widened(names):
    """The models with longer texts and a new column in these tables, and the others as they are."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        copy = table.to_metadata(metadata)
        if table.name in names:
            copy.append_column(Column("remark", String(40)))
            for column in copy.columns:
                if type(column.type) is String and column.type.length:
                    column.type = String(column.type.length + 1)
    return metadata


def test_migration_of_each_table_keeps_what_the_service_relies_on(team):
    for table in TABLES:
        before = team.newest
        team.generate(widened(TABLES[: TABLES.index(table) + 1]))
        team.upgrade()
        assert team.missing() == [], table
        team.downgrade(before)
        assert team.missing() == [], table
        team.upgrade()


def test_migration_of_all_tables_keeps_what_the_service_relies_on(team):
    team.generate(widened(TABLES))
    team.upgrade()
    assert team.missing() == []
    team.downgrade(migrations.head_revision())
    assert team.missing() == []


BUTTER = """
INSERT INTO categories (id, name, name_key, version, created_at, updated_at)
    VALUES ('0193e7a0-0000-7000-8000-000000000001', 'Food', 'food', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
INSERT INTO products (id, sku, name, name_key, search, price, stock, category_id, version, created_at, updated_at)
    VALUES ('0193e7a0-0000-7000-8000-000000000002', 'B', 'Butter', 'butter', 'butter', 5000, 1,
            '0193e7a0-0000-7000-8000-000000000001', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
"""


def test_changes_are_counted_after_a_migration(team):
    def execute(statements, connection):
        for statement in filter(str.strip, statements.split(";")):
            connection.exec_driver_sql(statement)

    team.generate(widened(["products", "cache_versions"]))
    team.upgrade()
    before = team.version()
    for statements in (BUTTER, "UPDATE products SET price = 4000", "DELETE FROM products"):
        team.run(partial(execute, statements))
        assert team.version() > before
        before = team.version()


def test_audit_events_are_guarded_after_a_migration(team):
    team.generate(widened(["audit_events"]))
    team.upgrade()
    event = (
        "INSERT INTO audit_events (id, at, action, object_type, object_id, request_id, changes) VALUES "
        "('0193e7a0-0000-7000-8000-000000000001', '2026-01-01 00:00:00', 'a', 'o', "
        "'0193e7a0-0000-7000-8000-000000000001', 'r', '{}')"
    )
    team.run(lambda connection: connection.exec_driver_sql(event))
    for statement in ("UPDATE audit_events SET action = 'b'", "DELETE FROM audit_events"):
        with pytest.raises(Exception, match="append-only"):
            team.run(lambda connection, statement=statement: connection.exec_driver_sql(statement))


def drop_statement(item, kind):
    """SQL that takes an object away, as a hand at the database would."""
    match item.kind:
        case "function":
            return f"DROP FUNCTION {item.name} CASCADE"
        case "trigger":
            return f"DROP TRIGGER IF EXISTS {item.name}" + (f" ON {item.table}" if kind == "postgresql" else "")
        case "index":
            return f"DROP INDEX {item.name}"
        case "cache tag":
            return f"DELETE FROM cache_versions WHERE tag = '{item.name}'"
        case "column":
            return f"ALTER TABLE {item.table} ALTER {item.name.split()[0]} TYPE VARCHAR"
        case _ if kind == "postgresql":
            return f"ALTER TABLE {item.table} DROP CONSTRAINT {item.name}"
    return None


def test_lost_objects_are_named_and_created_again(team, database_kind):
    """All but the constraints of SQLite, which no statement can drop."""

    def lose(connection):
        objects = declared_objects(connection.dialect)
        lost = [(item, statement) for item in objects if (statement := drop_statement(item, database_kind))]
        with keep_triggers(connection):
            for _, statement in lost:
                connection.exec_driver_sql(statement)
        assert find_missing(connection) == [item for item, _ in lost]
        assert restore(connection) == [item for item, _ in lost]
        assert find_missing(connection, is_exact=True) == []
        return {item.kind for item, _ in lost}

    kinds = {"trigger", "index", "cache tag"}
    if database_kind == "postgresql":
        kinds |= {"function", "column", "CHECK", "foreign key"}
    assert team.run(lose) == kinds


def test_readiness_names_some_of_many_lost_objects(team):
    """The `detail` of a problem has at most 2,000 characters."""

    def lose(connection):
        indexes = [item for item in declared_objects(connection.dialect) if item.kind == "index"]
        for index in indexes:
            connection.exec_driver_sql(f"DROP INDEX {index.name}")
        with Session(connection) as session, pytest.raises(DatabaseUnavailable) as unavailable:
            health.check(session, {})
        return indexes, str(unavailable.value)

    indexes, reason = team.run(lose)
    assert f"The database lacks {indexes[0]}, " in reason
    assert reason.endswith(f", {len(indexes) - 10} more; run `migrate`.")
    assert len(reason) < 2000


REPLACED = {
    "sqlite": ["DROP INDEX ix_products_price_id", "CREATE INDEX ix_products_price_id ON products (price, id)"],
    "postgresql": [
        "DROP INDEX ix_products_price_id",
        "CREATE INDEX ix_products_price_id ON products (price, id)",
        "CREATE OR REPLACE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER TABLE products DROP CONSTRAINT ck_products_stock",
        "ALTER TABLE products ADD CONSTRAINT ck_products_stock CHECK (stock > -5)",
        "ALTER TABLE posts DISABLE TRIGGER posts_count_update",
    ],
}


def test_object_with_another_definition_is_replaced(team, database_kind):
    def replace(connection):
        for statement in REPLACED[database_kind]:
            connection.exec_driver_sql(statement)

    team.run(replace)
    assert {name.split()[1] for name in team.missing()} == {
        "sqlite": {"ix_products_price_id"},
        "postgresql": {"ix_products_price_id", "count_change", "ck_products_stock", "posts_count_update"},
    }[database_kind]
    team.upgrade()
    assert team.missing() == []


def test_lost_trigger_makes_cached_responses_stale(team, database_kind):
    """A change that no trigger has counted must not stay unseen when the trigger is back."""
    drop = "DROP TRIGGER products_count_update" + (" ON products" if database_kind == "postgresql" else "")
    team.run(lambda connection: connection.exec_driver_sql(drop))
    before = team.version()
    team.upgrade()
    assert team.version() > before


def test_migration_makes_cached_responses_stale(team, database_kind):
    """Statements that alter a table can change its rows, and have no trigger that counts."""
    migration = {
        "sqlite": "    with op.batch_alter_table('products', recreate='always') as batch:\n"
        "        batch.alter_column('description', type_=sa.Integer(), existing_type=sa.Text())",
        "postgresql": "    op.execute('ALTER TABLE products ALTER price TYPE numeric(12, 2) USING price + 1')",
    }
    team.write(migration[database_kind])
    before = team.version()
    team.upgrade()
    after = team.version()
    assert after > before
    team.upgrade()
    assert team.version() == after, "Nothing was migrated."
    team.downgrade("-1")
    assert team.version() > after


def test_objects_of_operators_stay(team, database_kind):
    own = ["CREATE INDEX own_index ON products (name, id DESC)"]
    if database_kind == "sqlite":
        own += [
            "CREATE TRIGGER own_trigger AFTER INSERT ON products BEGIN SELECT 1; END",
            "CREATE VIEW own_view AS SELECT name, price FROM products",
        ]
    team.run(lambda connection: [connection.exec_driver_sql(statement) for statement in own])
    team.write("""
    with op.batch_alter_table("products", recreate="auto") as batch:
        batch.alter_column("description", type_=sa.String(9_000), existing_type=sa.Text())""")
    team.upgrade()
    catalogue = "sqlite_master" if database_kind == "sqlite" else "(SELECT indexname AS name FROM pg_indexes) x"
    names = team.run(lambda connection: set(connection.scalars(text(f"SELECT name FROM {catalogue}"))))
    assert {statement.split()[2] for statement in own} <= names


TRICKY = """
    with op.batch_alter_table("shelves") as batch:
        batch.alter_column("name", type_=sa.String(60), existing_type=sa.String(50), existing_nullable=False)
"""


def tricky_models(dialect):
    """Models with all that Alembic's batch mode loses, according to its documentation and when tried."""
    metadata = MetaData()
    collation = {"sqlite": "NOCASE", "postgresql": "C"}[dialect]
    Table("shops", metadata, Column("id", Integer, primary_key=True))
    shelves = Table(
        "shelves",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(60, collation=collation), nullable=False),
        Column("kind", String(9)),
        Column("shop_id", Integer, ForeignKey("shops.id", ondelete="CASCADE", name="fk_shelves_shop_id")),
        CheckConstraint("kind IN ('big', 'small') AND (name <> '' OR kind = 'big')", name="ck_shelves_kind"),
        *([CheckConstraint("id > 0 AND name <> ')'")] if dialect == "sqlite" else []),
        UniqueConstraint("name", "kind", name="uq_shelves_name_kind"),
        sqlite_autoincrement=True,
        info=counted("shelves", "name"),
    )
    Index("ix_shelves_name", shelves.c.name.desc(), "id")
    Index("ix_shelves_lower", func.lower(shelves.c.name), desc(text("kind")))
    is_small = text("kind <> 'big'")
    Index("ix_shelves_kind", shelves.c.kind, sqlite_where=is_small, postgresql_where=is_small)
    models.CacheVersion.__table__.to_metadata(metadata)
    return metadata


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:Unnamed CHECK constraint")
def test_what_batch_mode_loses_comes_back(database_kind, tmp_path):
    """A team's own table and cache tag: what its model declares needs nothing else."""
    metadata = tricky_models(database_kind)

    def tell(connection):
        metadata.create_all(connection)
        created = {(item.kind, item.name) for item in restore(connection, metadata)}
        assert {("trigger", "shelves_count_update"), ("cache tag", "shelves")} <= created
        assert find_missing(connection, metadata, is_exact=True) == []
        connection.exec_driver_sql("INSERT INTO shops (id) VALUES (1)")
        connection.exec_driver_sql("INSERT INTO shelves (id, name, kind, shop_id) VALUES (7, 'Tea', 'big', 1)")
        names = {"op": operations(connection), "sa": __import__("sqlalchemy")}
        with keep_triggers(connection):
            exec(dedent(TRICKY), names)  # noqa: S102
        if database_kind == "sqlite":
            assert len(find_missing(connection, metadata)) >= 5
        with keep_triggers(connection):
            restore(connection, metadata)
        assert find_missing(connection, metadata, is_exact=True) == []
        rows = connection.exec_driver_sql("SELECT id, name, kind, shop_id FROM shelves").all()
        assert [tuple(row) for row in rows] == [(7, "Tea", "big", 1)]
        assert restore(connection, metadata) == []

    migrations.run_with_connection(fresh_database(database_kind, tmp_path), tell)


def operations(connection):
    from alembic.operations import Operations  # noqa: PLC0415

    return Operations(MigrationContext.configure(connection))


def test_constraint_that_rows_violate_is_named_and_nothing_is_changed(team, database_kind):
    values = "INSERT INTO order_counters (year, orders) VALUES (2026, -1)"
    table = models.OrderCounter.__table__
    constraint = CheckConstraint("orders >= 0", name="orders")
    team.run(lambda connection: connection.exec_driver_sql(values))
    team.write("    op.create_table('half_done', sa.Column('id', sa.Integer()))")
    table.append_constraint(constraint)
    declared_objects.cache_clear()
    try:
        with pytest.raises(MigrationError, match=r"changed nothing.*order_counters"):
            team.upgrade()
    finally:
        table.constraints.remove(constraint)
        declared_objects.cache_clear()
    assert migrations.current_revision(team.url) == migrations.head_revision()
    assert "half_done" not in team.run(lambda connection: connection.dialect.get_table_names(connection))


TAG = "VALUES ('0193e7a0-0000-7000-8000-000000000001', 'n', 'n', '2026-01-01 00:00:00')"
FAILURES = {
    "a statement": "    op.execute('nonsense')",
    "an exception": "    raise KeyError('nonsense')",
    "a column that is not there": """
    with op.batch_alter_table('products', recreate='auto') as batch:
        batch.drop_column('nonsense')""",
    "rows that a new constraint refuses": f"""
    op.execute("INSERT INTO tags (id, name, name_key, created_at) {TAG}")
    with op.batch_alter_table('tags') as batch:
        batch.create_check_constraint('nonsense', 'length(name) > 9')""",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failing_migration_is_named_with_its_line_and_leaves_nothing_behind(team, failure):
    before = team.run(lambda connection: sorted(connection.dialect.get_table_names(connection)))
    file = team.write(f"    op.create_table('half_done', sa.Column('id', sa.Integer()))\n{FAILURES[failure]}")
    with pytest.raises(MigrationError, match=rf"{file.name}:\d+: .*changed nothing.*nonsense"):
        team.upgrade()
    assert team.run(lambda connection: sorted(connection.dialect.get_table_names(connection))) == before
    assert migrations.current_revision(team.url) == migrations.head_revision()
    assert team.missing() == []


def test_lost_key_is_named_and_nothing_is_changed(team, database_kind):
    """`CREATE TABLE ... AS` copies no constraint, and a foreign key needs the key to which it refers."""
    statements = "CREATE TABLE new AS SELECT * FROM tags", "DROP TABLE tags", "ALTER TABLE new RENAME TO tags"
    team.write("\n".join(f"    op.execute('{statement}')" for statement in statements))
    with pytest.raises(MigrationError, match=r"changed nothing.*tags"):
        team.upgrade()
    assert migrations.current_revision(team.url) == migrations.head_revision()
    assert team.missing() == []


def test_column_that_a_trigger_names_can_be_renamed(team):
    for old, new in (("username", "login"), ("login", "username")):
        team.write(f"""
    with op.batch_alter_table('users') as batch:
        batch.alter_column('{old}', new_column_name='{new}')""")
        # While the model has another name than the database, its trigger waits.
        team.upgrade()
    assert team.missing() == []


def test_commands_that_only_look_create_nothing(team, database_kind):
    drop = "DROP TRIGGER tags_count_insert" + (" ON tags" if database_kind == "postgresql" else "")
    team.run(lambda connection: connection.exec_driver_sql(drop))
    command.current(team.config)
    command.check(team.config)
    assert team.missing() == ["trigger tags_count_insert of table tags"]


def test_table_without_a_migration_waits_for_it(team):
    """A model without a table or a column, as a team has it before it writes the migration, prevents no migration."""
    metadata = widened([])
    tags = metadata.tables["tags"]
    tags.append_column(Column("rank", Integer))
    tags.append_constraint(CheckConstraint("rank > 0", name="rank"))
    Index("ix_tags_rank", text("rank DESC"), _table=tags)
    Table("suppliers", metadata, Column("id", Integer, primary_key=True), info=counted("suppliers"))
    created = team.run(lambda connection: [str(item) for item in restore(connection, metadata)])
    assert created == ["cache tag suppliers of table cache_versions"]


def test_cache_tags_are_those_of_the_models():
    assert {"catalogue", "posts"} == TAGS
