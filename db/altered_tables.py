"""
Triggers that stay when a migration alters their table.

SQLite alters a table by a new one, and Alembic's batch mode forgets the triggers of the old one. It also fails if a
view or a trigger of another table refers to the table. PostgreSQL refuses to alter the type of a column that a trigger
names.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

_DROP = re.compile(r'\s*DROP TABLE "?(\w+)"?\s*')
_RENAME = re.compile(r'\s*ALTER TABLE "?\w+"? RENAME TO "?(\w+)"?\s*')
_ALTER_TYPE = re.compile(r"(?i)\s*ALTER TABLE (\S+) ALTER (?:COLUMN )?\S+ (?:SET DATA )?TYPE\b")


@contextmanager
def keep_triggers(connection: Connection) -> Iterator[None]:
    """Create the triggers of a table again after a statement that would lose them, or would fail because of them."""
    before, after = (_sqlite_hooks if connection.dialect.name == "sqlite" else _postgresql_hooks)()
    hooks = {
        "before_cursor_execute": lambda _, cursor, statement, *__: before(cursor, statement),
        "after_cursor_execute": lambda _, cursor, statement, *__: after(cursor, statement),
    }
    for name, hook in hooks.items():
        event.listen(connection, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            event.remove(connection, name, hook)


Hook = Callable[[Any, str], None]


def _sqlite_hooks() -> tuple[Hook, Hook]:
    triggers: dict[str, list[str]] = {}

    def before(cursor: Any, statement: str) -> None:
        if found := _DROP.fullmatch(statement):
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (found[1],))
            triggers[found[1]] = [sql for (sql,) in cursor.fetchall()]
        elif (found := _RENAME.fullmatch(statement)) and found[1] in triggers:
            # Views and triggers of other tables refer to the name, which has no table now.
            cursor.execute("pragma legacy_alter_table=on")

    def after(cursor: Any, statement: str) -> None:
        if (found := _RENAME.fullmatch(statement)) and found[1] in triggers:
            cursor.execute("pragma legacy_alter_table=off")
            for sql in triggers.pop(found[1]):
                cursor.execute(sql)

    return before, after


def _postgresql_hooks() -> tuple[Hook, Hook]:
    definitions: list[str] = []

    def before(cursor: Any, statement: str) -> None:
        if found := _ALTER_TYPE.match(statement):
            table = found[1]
            cursor.execute(
                "SELECT quote_ident(tgname), pg_get_triggerdef(oid) FROM pg_trigger"
                " WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND (tgattr <> '' OR tgqual IS NOT NULL)",
                (table,),
            )
            for name, definition in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {name} ON {table}")
                definitions.append(definition)

    def after(cursor: Any, _: str) -> None:
        while definitions:
            cursor.execute(definitions.pop())

    return before, after
