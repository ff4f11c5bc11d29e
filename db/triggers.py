"""Triggers that models declare: they count changes for the response cache, and make a table append-only."""

from dataclasses import dataclass
from typing import Any

SHARDS = {"sqlite": 1, "postgresql": 32}
"""Rows of each cache tag in `cache_versions`. SQLite has one writer, so that one row is enough."""


@dataclass(frozen=True)
class Trigger:
    """A trigger `{table}_{name}`. *action* is its SQL after the name of the table."""

    name: str
    event: str
    action: str


_COUNT = "UPDATE cache_versions SET version = version + 1 WHERE tag ="

FUNCTIONS = {
    "count_change": (
        f"BEGIN {_COUNT} TG_ARGV[0] AND shard = pg_backend_pid() % {SHARDS['postgresql']}; RETURN NULL; END"
    ),
    "audit_events_refuse": "BEGIN RAISE EXCEPTION 'audit_events is append-only'; END",
}
"""The trigger functions of PostgreSQL, by name."""


def counted(tag: str, *columns: str) -> dict[str, Any]:
    """
    Return the `info` of a table whose changes increment the cache version of *tag*.

    With *columns*, only updates of these columns do.
    """
    updated = f"UPDATE OF {', '.join(columns)}"
    events = {"update": updated} if columns else {name.lower(): name for name in ("INSERT", "UPDATE", "DELETE")}
    actions = {
        "sqlite": f"BEGIN {_COUNT} '{tag}'; END",
        "postgresql": f"FOR EACH STATEMENT EXECUTE FUNCTION count_change('{tag}')",
    }
    triggers = {
        dialect: [Trigger(f"count_{name}", f"AFTER {event}", action) for name, event in events.items()]
        for dialect, action in actions.items()
    }
    return {"cache_tag": tag, "triggers": triggers, "trigger_columns": columns}


APPEND_ONLY: dict[str, Any] = {
    "triggers": {
        "sqlite": [
            Trigger(
                f"refuse_{event.lower()}",
                f"BEFORE {event}",
                "BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END",
            )
            for event in ("UPDATE", "DELETE")
        ],
        "postgresql": [
            Trigger(
                "refuse",
                "BEFORE DELETE OR UPDATE OR TRUNCATE",
                "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse()",
            )
        ],
    }
}
"""`info` of the audit log, whose rows cannot be changed or deleted."""
