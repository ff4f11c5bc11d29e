"""Whether everything is there that the service needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import migrations
from db.errors import Unavailable


@dataclass(frozen=True)
class Check:
    """Something beside the database: `fault` says at once what is wrong with it, if anything is."""

    fault: Callable[[], str | None]
    is_needed: bool = True


def check(session: Session, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the state of each thing; raises Unavailable, naming them, if some are not as they must be."""
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
