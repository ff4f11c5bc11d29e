#!/usr/bin/env bash
# SQLAlchemy's version_id_col guards against lost updates only while a variable holds the object.
#
# Expected: a session that has read version 1 of a row cannot write over version 2.
# Seen:     the session's identity map is weak. While the object that was read is referenced, the write raises
#           StaleDataError. When nothing refers to it any more, the second get() in the same session reads the newer
#           version, and the commit overwrites the other change without a word.
# Matters:  If-Match is read, compare, then let the handler read and write. A helper that returns True and drops what it
#           has read makes that a lost update, and only under concurrency.
# Versions: SQLAlchemy 2.1.9, SQLite, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
object held: StaleDataError, price 101 at version 2
object dropped: committed, price 5 at version 3
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check sqlalchemy==2.1.9
venv/bin/python - >seen <<'PYTHON'
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.exc import StaleDataError


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


for name in ("held", "dropped"):
    engine = create_engine(f"sqlite:///{name}.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Product(id=1, price=1))
        session.commit()

    with Session(engine) as session:
        product = session.get(Product, 1)
        assert product.version == 1  # What If-Match names.
        if name == "dropped":
            del product
        with Session(engine) as other:
            other.get(Product, 1).price += 100
            other.commit()
        session.get(Product, 1).price = 5
        try:
            session.commit()
            outcome = "committed"
        except StaleDataError as error:
            outcome = type(error).__name__

    with Session(engine) as session:
        product = session.get(Product, 1)
        print(f"object {name}: {outcome}, price {product.price} at version {product.version}")
PYTHON

cat seen
diff expected seen
