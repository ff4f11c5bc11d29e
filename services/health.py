"""Whether everything is there that the service needs."""

from typing import Any

from sqlalchemy.orm import Session

from db import migrations
from db.errors import Unavailable


def check(session: Session) -> dict[str, Any]:
    """Return the state of each thing; raises Unavailable, naming it, if one is not as it must be."""
    applied = migrations.applied(session)
    if applied != migrations.head():
        raise Unavailable(f"The database has migration {applied}, and this release needs {migrations.head()}.")
    return {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}
