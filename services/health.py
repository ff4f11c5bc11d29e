"""Health checks of the service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import database_objects, migrations
from db.errors import DatabaseUnavailable

# Objects that a reason names, so that it fits into the `detail` of a problem. `main.py check` names all.
_MAX_NAMES = 10


@dataclass(frozen=True)
class HealthCheck:
    """A check beside the database: `error` returns the reason of a failure, or None, and does not block."""

    error: Callable[[], str | None]
    is_needed: bool = True


def check(session: Session, health_checks: Mapping[str, HealthCheck]) -> dict[str, Any]:
    """Return `status`, and "ok" or the error of each check. Raises DatabaseUnavailable if a needed check fails."""
    errors = {"database": None, "migrations": _migrations_error(session)}
    errors |= {name: health_check.error() for name, health_check in health_checks.items()}
    fatal_errors = [
        error
        for name, error in errors.items()
        if error and (name not in health_checks or health_checks[name].is_needed)
    ]
    if fatal_errors:
        raise DatabaseUnavailable(" ".join(fatal_errors))
    states = {name: error or "ok" for name, error in errors.items()}
    return {"status": "degraded" if any(errors.values()) else "ok", "checks": states}


def _migrations_error(session: Session) -> str | None:
    applied = migrations.applied_revision(session)
    if applied == migrations.head_revision():
        return _objects_error(session)
    return f"The database is at migration {applied}; this release needs {migrations.head_revision()}."


def _objects_error(session: Session) -> str | None:
    missing = [str(each) for each in database_objects.find_missing(session.connection())]
    if not missing:
        return None
    more = [f"{len(missing) - _MAX_NAMES} more"] if len(missing) > _MAX_NAMES else []
    return f"The database lacks {', '.join([*missing[:_MAX_NAMES], *more])}; run `migrate`."
