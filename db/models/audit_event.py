from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base
from db.columns import CreatedAt, Id
from db.triggers import APPEND_ONLY


class AuditEvent(Base):
    """
    A change of an object by an operation. `actor_id` is None for an anonymous request.

    Actor and object are not foreign keys, because the event outlives both. Triggers refuse to change or delete it.
    """

    __tablename__ = "audit_events"

    id: Mapped[Id]
    at: Mapped[CreatedAt]
    actor_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(100))
    object_type: Mapped[str] = mapped_column(String(100))
    object_id: Mapped[UUID]
    request_id: Mapped[str] = mapped_column(String(64))
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (
        Index("ix_audit_events_at_id", "at", "id"),
        Index("ix_audit_events_actor_id_at_id", "actor_id", "at", "id"),
        Index("ix_audit_events_action_at_id", "action", "at", "id"),
        Index("ix_audit_events_object_type_at_id", "object_type", "at", "id"),
        Index("ix_audit_events_object_id_at_id", "object_id", "at", "id"),
        {"info": APPEND_ONLY},
    )
