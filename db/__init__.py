"""The database: models, migrations, and units of work with their session."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from db.types import Amount, Identifier, UTCDateTime


class Base(DeclarativeBase):
    """The base of all models. It names keys, constraints and indexes, so that errors can refer to them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {UUID: Identifier(), datetime: UTCDateTime(), Decimal: Amount()}
