"""Health checks of the service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import migrations
from db.errors import Unavailable


@dataclass(frozen=True)
class Check:
    """A check beside the database: `fault` returns what is wrong, None if nothing is, without waiting."""

    fault: Callable[[], str | None]
    is_needed: bool = True


def check(session: Session, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return `status`, and in `checks` "ok" or the error of each check; raises Unavailable if a needed check fails."""
    faults = {"database": None, "migrations": _migrations_fault(session)}
    faults |= {name: each.fault() for name, each in checks.items()}
    fatal = [fault for name, fault in faults.items() if fault and (name not in checks or checks[name].is_needed)]
    if fatal:
        raise Unavailable(" ".join(fatal))
    states = {name: fault or "ok" for name, fault in faults.items()}
    return {"status": "degraded" if any(faults.values()) else "ok", "checks": states}


def _migrations_fault(session: Session) -> str | None:
    applied = migrations.applied(session)
    if applied == migrations.head():
        return None
    return f"The database is at migration {applied}; this release needs {migrations.head()}."
