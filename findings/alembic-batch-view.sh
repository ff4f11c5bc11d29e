#!/usr/bin/env bash
# A view on a table stops Alembic's batch_alter_table on SQLite, and the failed migration is not rolled back whole.
#
# Expected: a view has no part in the change of a column; SQLite runs DDL in transactions, so that what fails leaves
#           nothing behind.
# Seen:     dropping the old table leaves the view without its table, and then SQLite refuses the RENAME of the new one.
#           The rollback gives the old table back, and the new one, _alembic_tmp_..., stays: sqlite3 of Python begins
#           its transaction at the first INSERT, after CREATE TABLE was committed. The second attempt fails of that
#           leftover, also when the view is gone.
# Matters:  the message of the second attempt, which is the one that stays in the logs of a service that restarts,
#           names neither the view nor a remedy. Drop the view before the batch and create it after; begin the
#           transaction oneself.
# Versions: alembic 1.20.1, SQLAlchemy 2.1.9, SQLite 3.40.1, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
with the view: error in view stocked: no such table: main.products
  tables: _alembic_tmp_products, products
again: table _alembic_tmp_products already exists
  tables: _alembic_tmp_products, products
without the view: table _alembic_tmp_products already exists
  tables: _alembic_tmp_products, products
begun by BEGIN, with the view: error in view stocked: no such table: main.products
  tables: products
begun by BEGIN, without the view: done
  tables: products
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9
venv/bin/python - >seen <<'PYTHON'
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Integer, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError


def create(file):
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("create table products (id integer primary key, stock integer)"))
        connection.execute(text("insert into products values (1, 2)"))
        connection.execute(text("create view stocked as select id from products where stock > 0"))
    return engine


def migrate(engine, when, view):
    if not view:
        with engine.begin() as connection:
            connection.execute(text("drop view stocked"))
    try:
        with engine.begin() as connection:
            with Operations(MigrationContext.configure(connection)).batch_alter_table("products") as table:
                table.alter_column("stock", existing_type=Integer(), nullable=False)
        print(f"{when}: done")
    except OperationalError as error:
        print(f"{when}: {error.orig}")
    print("  tables:", ", ".join(sorted(inspect(engine).get_table_names())))


engine = create("plain.db")
migrate(engine, "with the view", view=True)
migrate(engine, "again", view=True)
migrate(engine, "without the view", view=False)

# The recipe of SQLAlchemy's documentation: sqlite3 begins nothing by itself, SQLAlchemy does.
engine = create("begun.db")
engine.dispose()
event.listen(engine, "connect", lambda connection, record: setattr(connection, "isolation_level", None))
event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
migrate(engine, "begun by BEGIN, with the view", view=True)
migrate(engine, "begun by BEGIN, without the view", view=False)
PYTHON

cat seen
diff expected seen
