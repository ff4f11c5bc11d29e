"""
What the service relies on in the database beyond tables and columns, as one list that is made from the models.

A migration can lose these objects without an error: SQLite rebuilds a table to alter it, and the new one has no
triggers. Alembic compares neither triggers nor CHECKs. Therefore `restore` puts back what is missing after every
migration, and `find_missing` names it.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

from db import Base, models, sqlite_tables
from db.errors import MigrationError
from db.triggers import FUNCTIONS, SHARDS, Trigger

log = logging.getLogger(__name__)

assert models.__all__  # The import declares the tables.

_KINDS = {CheckConstraint: "CHECK", ForeignKeyConstraint: "foreign key", UniqueConstraint: "unique constraint"}
"""Kinds of the constraints on the list. A primary key is a part of its table."""


@dataclass(frozen=True)
class DatabaseObject:
    """An object of the database, which belongs to a table unless it is a function."""

    kind: str
    table: str
    name: str
    definition: str
    statements: tuple[str, ...] = ()
    """Statements that replace the object. Without any, the object is a part of a table of SQLite, which is rebuilt."""
    columns: frozenset[str] = frozenset()
    """Columns of the table that the object needs."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" of table {self.table}" if self.table else "")


@lru_cache(maxsize=8)
def declared_objects(dialect: Dialect, metadata: MetaData = Base.metadata) -> list[DatabaseObject]:
    """Return the list for a dialect, in the order in which the objects can be created."""
    tables = metadata.sorted_tables
    objects = list(_functions(dialect, tables))
    for table in tables:
        objects += [*_column_properties(table, dialect), *_constraints(table, dialect)]
    for table in tables:
        objects += [_index(index, dialect) for index in sorted(table.indexes, key=lambda index: str(index.name))]
        objects += _triggers(table, dialect)
    return [*objects, *_cache_tags(dialect, tables)]


def find_missing(
    connection: Connection, metadata: MetaData = Base.metadata, *, is_exact: bool = False
) -> list[DatabaseObject]:
    """
    Return the objects of the list that the database does not have, or has with another definition.

    PostgreSQL writes the expression of a CHECK or an index in its own way. With *is_exact*, it is asked how it writes
    the declared one, in a transaction that can write. Without, an object that it writes otherwise counts as present.
    """
    present, dialect = _present_objects(connection), connection.dialect.name
    missing = []
    for item in declared_objects(connection.dialect, metadata):
        definition = present.get((item.table, item.name))
        if definition is None:
            missing.append(item)
        elif _canonical(definition, dialect) != _canonical(item.definition, dialect):
            is_written_by_database = dialect == "postgresql" and item.kind in {"CHECK", "index"}
            if not is_written_by_database or (is_exact and definition != _written(connection, item)):
                missing.append(item)
    return missing


def find_missing_columns(connection: Connection, metadata: MetaData = Base.metadata) -> list[str]:
    """Return the tables of the models, and the columns of the other tables, that the database does not have."""
    present = _columns(connection)
    missing = []
    for table in metadata.sorted_tables:
        if columns := present.get(table.name):
            absent = [column.name for column in table.columns if column.name not in columns]
            missing += [f"column {name} of table {table.name}" for name in absent]
        else:
            missing.append(f"table {table.name}")
    return missing


def restore(connection: Connection, metadata: MetaData = Base.metadata) -> list[DatabaseObject]:
    """
    Create the objects of the list that are missing, replace those that differ, and return them.

    Objects of tables and columns that do not exist stay missing, because a migration must create those first. Other
    objects of the database, such as an index of an operator, stay as they are. If an object was missing, all cached
    responses become stale, because changes may not have been counted.
    """
    missing = _creatable(connection, metadata)
    for name in dict.fromkeys(item.table for item in missing if not item.statements):
        with _name_errors(f"table {name} cannot get the constraints of its model"):
            columns = _columns(connection)[name]
            declared = _constraints(metadata.tables[name], connection.dialect)
            constraints = {item.name: item.definition for item in declared if item.columns <= columns}
            sqlite_tables.rebuild(connection, metadata.tables[name], constraints)
    for item in _creatable(connection, metadata) if missing else []:
        with _name_errors(f"{item} cannot be created"):
            for statement in item.statements:
                connection.exec_driver_sql(statement)
    if missing:
        log.warning("The database lacked objects, which have been created: %s.", ", ".join(map(str, missing)))
    if missing:
        expire_cached_responses(connection)
    return missing


def expire_cached_responses(connection: Connection) -> None:
    """Make all cached responses stale, after changes that no trigger has counted."""
    if "cache_versions" in _columns(connection):
        connection.exec_driver_sql("UPDATE cache_versions SET version = version + 1")


@contextmanager
def _name_errors(subject: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise MigrationError(
            f"The migrations have changed nothing, because {subject}: {error.orig}. Correct the rows or the model."
        ) from error


def _creatable(connection: Connection, metadata: MetaData) -> list[DatabaseObject]:
    """Return the missing objects whose table and columns exist."""
    columns = _columns(connection)
    return [
        item
        for item in find_missing(connection, metadata, is_exact=True)
        if not item.table or (item.table in columns and item.columns <= columns[item.table])
    ]


# What the models declare.


def _functions(dialect: Dialect, tables: Iterable[Table]) -> Iterator[DatabaseObject]:
    actions = [trigger.action for table in tables for trigger in _declared_triggers(table, dialect)]
    for name, body in FUNCTIONS.items():
        if any(f"FUNCTION {name}(" in action for action in actions):
            create = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
            yield DatabaseObject("function", "", name, body, (create,))


def _constraints(table: Table, dialect: Dialect) -> Iterator[DatabaseObject]:
    compiler = _ddl_compiler(dialect)
    alter = f"ALTER TABLE {_quoted(table.name, dialect)}"
    for constraint in sorted(table.constraints, key=lambda constraint: str(constraint.name)):
        if kind := _KINDS.get(type(constraint)):
            text = compiler.process(constraint)
            name = sqlite_tables.constraint_name(text)
            replace = (f"{alter} DROP CONSTRAINT IF EXISTS {_quoted(name, dialect)}", f"{alter} ADD {text}")
            statements = () if dialect.name == "sqlite" else replace
            yield DatabaseObject(kind, table.name, name, text, statements, _mentioned(table, text))


def _column_properties(table: Table, dialect: Dialect) -> Iterator[DatabaseObject]:
    """Yield the collations of the columns, and the AUTOINCREMENT of SQLite."""
    is_sqlite = dialect.name == "sqlite"
    alter = f"ALTER TABLE {_quoted(table.name, dialect)} ALTER"
    for column in table.columns:
        impl = column.type.dialect_impl(dialect)
        if isinstance(impl, String) and impl.collation:
            statement = f"{alter} {_quoted(column.name, dialect)} TYPE {impl.compile(dialect)}"
            yield _column_property(column, "COLLATE", impl.collation, () if is_sqlite else (statement,))
    if is_sqlite and table.dialect_options["sqlite"]["autoincrement"]:
        yield _column_property(next(iter(table.primary_key)), "AUTOINCREMENT", "", ())


def _column_property(column: Column[Any], kind: str, value: str, statements: tuple[str, ...]) -> DatabaseObject:
    name = f"{column.name} {kind}"
    return DatabaseObject("column", column.table.name, name, value, statements, frozenset({column.name}))


def _index(index: Index, dialect: Dialect) -> DatabaseObject:
    assert index.table is not None
    create = str(CreateIndex(index).compile(dialect=dialect))
    drop = f"DROP INDEX IF EXISTS {_quoted(str(index.name), dialect)}"
    columns = _mentioned(index.table, create)
    return DatabaseObject("index", index.table.name, str(index.name), create, (drop, create), columns)


def _mentioned(table: Table, sql: str) -> frozenset[str]:
    """Return the columns whose names are in the SQL. Its expressions can be text, so that SQLAlchemy does not know."""
    return frozenset(table.columns.keys()).intersection(re.findall(r"\w+", sql))


def _triggers(table: Table, dialect: Dialect) -> Iterator[DatabaseObject]:
    columns = frozenset(table.columns[name].name for name in table.info.get("trigger_columns", ()))
    quoted = _quoted(table.name, dialect)
    for trigger in _declared_triggers(table, dialect):
        name = f"{table.name}_{trigger.name}"
        create = f"CREATE TRIGGER {name} {trigger.event} ON {quoted} {trigger.action}"
        drop = f"DROP TRIGGER IF EXISTS {name}" + ("" if dialect.name == "sqlite" else f" ON {quoted}")
        yield DatabaseObject("trigger", table.name, name, create, (drop, create), columns)


def _declared_triggers(table: Table, dialect: Dialect) -> list[Trigger]:
    triggers: dict[str, list[Trigger]] = table.info.get("triggers", {})
    return triggers.get(dialect.name, [])


def _cache_tags(dialect: Dialect, tables: Iterable[Table]) -> Iterator[DatabaseObject]:
    """Yield the rows of each cache tag, without which its triggers count nothing."""
    shards = SHARDS[dialect.name]
    for tag in sorted({table.info["cache_tag"] for table in tables if "cache_tag" in table.info}):
        rows = ", ".join(f"('{tag}', {shard}, 0)" for shard in range(shards))
        create = f"INSERT INTO cache_versions (tag, shard, version) VALUES {rows} ON CONFLICT DO NOTHING"  # noqa: S608  # The models have the tag.
        yield DatabaseObject("cache tag", "cache_versions", tag, str(shards), (create,))


def _ddl_compiler(dialect: Dialect) -> DDLCompiler:
    return dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]  # Only statements need the second argument.


def _quoted(name: str, dialect: Dialect) -> str:
    return dialect.identifier_preparer.quote(name)


# What the database has: the definitions by table and name.

_POSTGRESQL = """
WITH ours AS (SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'p') AND {condition})
SELECT '', proname, prosrc FROM pg_proc WHERE prorettype = 'trigger'::regtype AND pg_function_is_visible(oid)
UNION ALL SELECT relname, '', '' FROM ours
UNION ALL SELECT relname, tgname, pg_get_triggerdef(t.oid, true)
    FROM ours c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')
UNION ALL SELECT c.relname, i.relname, pg_get_indexdef(i.oid, 0, true)
    FROM ours c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid WHERE indisvalid
UNION ALL SELECT relname, conname, 'CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(k.oid, true)
    FROM ours c JOIN pg_constraint k ON k.conrelid = c.oid
UNION ALL SELECT relname, attname || ' COLLATE', collname
    FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_collation l ON l.oid = attcollation
"""
_IS_OURS = "relnamespace <> 'pg_catalog'::regnamespace AND pg_table_is_visible(oid)"

Definitions = dict[tuple[str, str], str]


def _present_objects(connection: Connection) -> Definitions:
    present = (
        _read_sqlite(connection) if connection.dialect.name == "sqlite" else _read_postgresql(connection, _IS_OURS)
    )
    if ("cache_versions", "") in present:
        shards = connection.exec_driver_sql("SELECT tag, count(*) FROM cache_versions GROUP BY tag").all()
        present |= {("cache_versions", tag): str(count) for tag, count in shards}
    return present


def _read_postgresql(connection: Connection, condition: str) -> Definitions:
    rows = connection.exec_driver_sql(_POSTGRESQL.format(condition=condition)).all()
    return {(table, name): text for table, name, text in rows}


def _read_sqlite(connection: Connection) -> Definitions:
    present: Definitions = {}
    rows = connection.exec_driver_sql("SELECT type, tbl_name, name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    for kind, table, name, text in rows:
        if kind in {"index", "trigger"}:
            present[table, name] = text
        elif kind == "table":
            present[table, ""] = ""
            present |= {(table, name): part for name, part in sqlite_tables.parts(text).items()}
    return present


def _columns(connection: Connection) -> dict[str, set[str]]:
    """Return the names of the columns of each table."""
    if connection.dialect.name == "sqlite":
        query = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
    else:
        ours = f"SELECT oid, relname FROM pg_class WHERE {_IS_OURS}"  # noqa: S608  # It is a constant.
        query = f"SELECT relname, attname FROM pg_attribute JOIN ({ours}) c ON c.oid = attrelid"  # noqa: S608
    columns: dict[str, set[str]] = {}
    for table, column in connection.exec_driver_sql(query):
        columns.setdefault(table, set()).add(column)
    return columns


def _written(connection: Connection, item: DatabaseObject) -> str:
    """Return the definition that PostgreSQL writes for an object, which it gets for an empty temporary table."""
    table = _quoted(item.table, connection.dialect)
    with connection.begin_nested() as savepoint:
        # The temporary table hides the other one, because its schema is the first of the search path.
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {table} (LIKE {table})")
        connection.exec_driver_sql(item.statements[-1])
        written = _read_postgresql(connection, "relnamespace = pg_my_temp_schema()")[item.table, item.name]
        savepoint.rollback()
    return written


@lru_cache(maxsize=1024)
def _canonical(text: str, dialect: str) -> str:
    """Return the text without what can differ between equal definitions."""
    if dialect == "postgresql":
        text = re.sub(r"\bUSING btree\b|::\w+( varying| precision)?(\[\])?", "", text)
        # Parentheses that group AND and OR are significant.
        text = text if re.search(r"(?i)\b(AND|OR)\b", text) else re.sub("[()]", "", text)
    return re.sub(r'[\s"`\[\]]', "", text)
