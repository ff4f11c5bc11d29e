"""Health checks of the service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import migrations
from db.errors import DatabaseUnavailable


@dataclass(frozen=True)
class HealthCheck:
    """A check beside the database: `fault` returns what is wrong, None if nothing is, without waiting."""

    error: Callable[[], str | None]
    is_needed: bool = True


def check(session: Session, health_checks: Mapping[str, HealthCheck]) -> dict[str, Any]:
    """Return `status`, and in `checks` "ok" or the error of each check; raises Unavailable if a needed check fails."""
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
    return f"The database is at migration {applied}; this release needs {migrations.head_revision()}."
