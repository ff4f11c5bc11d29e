"""The constraints, collations and AUTOINCREMENT of SQLite's tables, which only a new table can change."""

import re
from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy import Connection, Table

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|[(),]|[^'"`\[(),/-]+|.""", re.DOTALL
)
_CONSTRAINT = re.compile(r"(?i)(?:CONSTRAINT\s+(\S+)\s+)?(?:CHECK|FOREIGN\s+KEY|UNIQUE|PRIMARY\s+KEY)\b")


@lru_cache(maxsize=256)
def parts(sql: str) -> dict[str, str]:
    """Return the constraints, collations and AUTOINCREMENT in a CREATE TABLE, by name."""
    return {name: part for item in _split(sql)[0] for name, part in _item_parts(item)}


def constraint_name(text: str) -> str:
    """Return the name of a constraint. One without a name is named by its definition."""
    found = _CONSTRAINT.match(text)
    return re.sub(r'["`\[\]]', "", found[1]) if found and found[1] else re.sub(r'[\s"`\[\]]', "", text)


def rebuild(connection: Connection, table: Table, constraints: dict[str, str]) -> None:
    """
    Create a table anew with *constraints*, by name, and the collations and AUTOINCREMENT of its model.

    What the table has besides stays.

    These are the steps of https://sqlite.org/lang_altertable.html, section 7. `keep_triggers` must be active.
    """
    quote = connection.dialect.identifier_preparer.quote
    rows = connection.exec_driver_sql(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", (table.name,)
    ).all()
    items, options = _split(next(sql for kind, sql in rows if kind == "table"))
    name, temporary = quote(table.name), quote(f"_new_{table.name}")
    content = ", ".join(_declared_items(items, connection, table, constraints))
    connection.exec_driver_sql(f"CREATE TABLE {temporary} ({content}) {options}")
    columns = connection.exec_driver_sql("SELECT name FROM pragma_table_info(?)", (table.name,)).scalars()
    names = ", ".join(map(quote, columns))
    connection.exec_driver_sql(f"INSERT INTO {temporary} ({names}) SELECT {names} FROM {name}")  # noqa: S608  # These are names of the database.
    connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql(f"ALTER TABLE {temporary} RENAME TO {name}")
    for kind, sql in rows:
        if kind == "index":
            connection.exec_driver_sql(sql)


def _declared_items(items: list[str], connection: Connection, table: Table, declared: dict[str, str]) -> list[str]:
    """Return the columns and constraints of *items*, each as the model declares it if the model has it."""
    compiler = connection.dialect.ddl_compiler(connection.dialect, None)  # type: ignore[arg-type]  # Only statements need the second argument.
    columns = {_column_name(item): item for item in items if not _CONSTRAINT.match(item)}
    for column in table.columns:
        text = compiler.get_column_specification(column)
        if column.name in columns and dict(_item_parts(text)) != dict(_item_parts(columns[column.name])):
            columns[column.name] = text
    constraints = {constraint_name(item): item for item in items if _CONSTRAINT.match(item)} | declared
    if any("PRIMARY KEY" in text for text in columns.values()):
        constraints = {name: text for name, text in constraints.items() if "PRIMARY KEY" not in text}
    return [*columns.values(), *constraints.values()]


def _split(sql: str) -> tuple[list[str], str]:
    """Return the columns and constraints of a CREATE TABLE, and the options that follow them."""
    items, depth, item = [], 0, ""
    for token in _TOKEN.findall(sql):
        if token.startswith(("--", "/*")):
            continue
        depth -= token == ")"
        if depth == 0 and token == "(":
            item = ""
        elif (depth == 1 and token == ",") or (depth == 0 and token == ")"):
            items.append(item.strip())
            item = ""
        else:
            item += token
        depth += token == "("
    return items, item


def _item_parts(item: str) -> Iterator[tuple[str, str]]:
    if _CONSTRAINT.match(item):
        yield constraint_name(item), item
        return
    name = _column_name(item)
    if collation := re.search(r"(?i)\bCOLLATE\s+(\S+)", item):
        yield f"{name} COLLATE", collation[1]
    if re.search(r"(?i)\bAUTOINCREMENT\b", item):
        yield f"{name} AUTOINCREMENT", ""


def _column_name(item: str) -> str:
    return re.split(r'["`\]]' if item[0] in '"`[' else r"\s", item.lstrip('"`['), maxsplit=1)[0]
