from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class Generation(Base):
    """
    How often what is shown of a noun has changed, in all its stripes together.

    Triggers count it, in the transaction of the change; a connection counts in one stripe only.
    """

    __tablename__ = "generations"

    noun: Mapped[str] = mapped_column(String(40), primary_key=True)
    stripe: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    changes: Mapped[int] = mapped_column(BigInteger)
