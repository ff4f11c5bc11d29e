"""Whether everything is there that the service needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import migrations
from db.errors import DatabaseUnavailable


@dataclass(frozen=True)
class HealthCheck:
    """Something beside the database: `fault` says at once what is wrong with it, if anything is."""

    error: Callable[[], str | None]
    is_needed: bool = True


def check(session: Session, health_checks: Mapping[str, HealthCheck]) -> dict[str, Any]:
    """Return the state of each thing; raises Unavailable, naming them, if some are not as they must be."""
    faults = {"database": None, "migrations": _migrations_error(session)}
    faults |= {name: each.error() for name, each in health_checks.items()}
    fatal = [
        fault
        for name, fault in faults.items()
        if fault and (name not in health_checks or health_checks[name].is_needed)
    ]
    if fatal:
        raise DatabaseUnavailable(" ".join(fatal))
    states = {name: fault or "ok" for name, fault in faults.items()}
    return {"status": "degraded" if any(faults.values()) else "ok", "checks": states}


def _migrations_error(session: Session) -> str | None:
    applied = migrations.applied_revision(session)
    if applied == migrations.head_revision():
        return None
    return f"The database has migration {applied}, and this release needs {migrations.head_revision()}."
