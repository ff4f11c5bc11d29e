#!/usr/bin/env bash
# Alembic's batch_alter_table on SQLite drops triggers, and changes indexes and collations, without a warning.
#
# Expected: to make one column NOT NULL leaves everything else of the table as it is, or says what it loses.
# Seen:     the table is made anew from what SQLAlchemy reflects. The trigger is gone, the index has lost DESC, the
#           column its COLLATE NOCASE, the key its AUTOINCREMENT. No warning is given. (An unnamed CHECK and an index
#           on an expression are lost, too, but with a warning.)
# Matters:  audit trails and caches that live by triggers stop at an unrelated migration, and names that were unique
#           in any case no longer are. The migration succeeds; only the next reader of the schema can see it.
# Versions: alembic 1.20.1, SQLAlchemy 2.1.9, SQLite 3.40.1, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
before: trigger True, DESC True, COLLATE NOCASE True, AUTOINCREMENT True
names "a" and "A" collide before: True
after: trigger False, DESC False, COLLATE NOCASE False, AUTOINCREMENT False
names "a" and "A" collide after: False
warnings: 0
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9
venv/bin/python - >seen <<'PYTHON'
import warnings

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Integer, create_engine, text
from sqlalchemy.exc import IntegrityError

TABLES = """
create table log (name text);
create table products (
    id integer primary key autoincrement,
    name text collate nocase constraint uq_products_name unique,
    stock integer
);
create index ix_products_stock on products (stock desc);
create trigger products_log after insert on products begin insert into log values (new.name); end
"""


def show(connection, when):
    schema = connection.execute(text("select group_concat(sql, ' ') from sqlite_master")).scalar_one().lower()
    words = {"trigger": "create trigger", "DESC": "desc)", "COLLATE NOCASE": "collate", "AUTOINCREMENT": "autoincrement"}
    print(f"{when}:", ", ".join(f"{name} {word in schema}" for name, word in words.items()))
    collide = False
    try:
        with connection.begin_nested():
            connection.execute(text("insert into products (name, stock) values ('a', 1), ('A', 1)"))
            connection.execute(text("delete from products"))
    except IntegrityError:
        collide = True
    print(f'names "a" and "A" collide {when}: {collide}')


with create_engine("sqlite://").begin() as connection, warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for statement in TABLES.replace("; end", "\0 end").split(";"):
        connection.execute(text(statement.replace("\0", ";")))
    show(connection, "before")
    with Operations(MigrationContext.configure(connection)).batch_alter_table("products") as table:
        table.alter_column("stock", existing_type=Integer(), nullable=False)
    show(connection, "after")
    print("warnings:", len(caught))
PYTHON

cat seen
diff expected seen
