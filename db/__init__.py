"""The database: tables, migrations, and the seam that gives handlers their session."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from db.types import Amount, Identifier, UTCDateTime


class Base(DeclarativeBase):
    """The base of all models; it names what they leave unnamed, so that errors and migrations can speak of it."""

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
