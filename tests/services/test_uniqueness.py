"""What nobody shares: it is taken until its owner is deleted, and by whoever is created, changed or restored then."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from accord.errors import Conflict
from accord.identity import users
from db.models import Customer, Product, User
from db.text import casefold
from services import categories, customers, products
from tests.support.examples import examples
from tests.support.services import NAMES, PASSWORD

ADDRESSES = [f"{name}@shop.example" for name in NAMES]
PHONES = [None, "+919731424784", "+919731424785"]
SKUS = ["BUTTER", "TEA", "SALT"]
SOMEBODY = uuid4()


@dataclass(frozen=True)
class Kind:
    """Rows of a kind; of each member that nobody shares, the values there are, and what of a value is compared."""

    model: Any
    members: dict[str, tuple[Sequence[Any], Callable[[Any], Any]]]
    create: Callable[..., Any]
    update: Callable[..., Any]
    delete: Callable[..., Any]
    restore: Callable[..., Any]


def new_user(session, service, **members):
    return users.create(session, service.passwords, password=PASSWORD, role="customer", **members)


def changed_user(session, service, user_id, **changes):
    return users.update(session, service.passwords, service.revocations, SOMEBODY, user_id, **changes)


def deleted_user(session, service, user_id):
    users.delete(session, service.revocations, SOMEBODY, user_id)


def new_customer(session, **members):
    return customers.create(session, None, name="Vinod", **members)


def new_product(session, **members):
    category_id = categories.create(session, name=f"Category {uuid4()}", description=None).id
    rest = {"name": "Pencil", "description": None, "price": Decimal(1), "stock": 0, "tags": []}
    return products.create(session, category_id=category_id, **rest, **members)


def changed_product(session, product_id, **members):
    product = products.get(session, product_id)
    rest = {name: product[name] for name in ("name", "description", "price", "stock", "tags")}
    return products.replace(session, product_id, category_id=product["category"]["id"], **rest, **members)


def of_session(*functions):
    """Functions that need nothing of the service but a session."""
    return [
        lambda session, _, *arguments, function=function, **named: function(session, *arguments, **named)
        for function in functions
    ]


KINDS = {
    "users": Kind(
        User,
        {"username": (NAMES, casefold), "email": (ADDRESSES, casefold)},
        new_user, changed_user, deleted_user, *of_session(users.restore),
    ),
    "customers": Kind(
        Customer,
        {"email": (ADDRESSES, casefold), "phone": (PHONES, str)},
        *of_session(new_customer, customers.update, customers.delete, customers.restore),
    ),
    "products": Kind(
        Product,
        {"sku": (SKUS, str)},
        *of_session(new_product, changed_product, products.delete, products.restore),
    ),
}  # fmt: skip


class Model(RuleBasedStateMachine):
    """Who has which values, and who had them when they were deleted."""

    def __init__(self, service, kind):
        super().__init__()
        self.service, self.kind = service, kind
        self.live, self.deleted = {}, {}
        service(lambda session: session.execute(delete(kind.model)))

    @rule(data=st.data())
    def create(self, data):
        values = self.drawn(data)
        made = self.trying(values, None, self.kind.create, **values)
        if made is not None:
            self.live[UUID(str(made["id"] if isinstance(made, dict) else made.id))] = values

    @rule(data=st.data())
    def change(self, data):
        if which := self.some(data, self.live):
            values = self.drawn(data)
            if self.trying(values, which, self.kind.update, which, **values) is not None:
                self.live[which] = values

    @rule(data=st.data())
    def delete(self, data):
        if which := self.some(data, self.live):
            self.service(self.kind.delete, self.service, which)
            self.deleted[which] = self.live.pop(which)

    @rule(data=st.data())
    def restore(self, data):
        which = self.some(data, self.deleted)
        if which and self.trying(self.deleted[which], which, self.kind.restore, which) is not None:
            self.live[which] = self.deleted.pop(which)

    @invariant()
    def rows_are_as_in_the_model(self):
        columns = [getattr(self.kind.model, name) for name in self.kind.members]
        rows = select(self.kind.model.id, *columns).where(self.kind.model.deleted_at.is_(None))
        found = {row[0]: tuple(row[1:]) for row in self.service(lambda session: session.execute(rows).all())}
        assert found == {which: tuple(values.values()) for which, values in self.live.items()}

    def drawn(self, data):
        return {name: data.draw(st.sampled_from(values)) for name, (values, _) in self.kind.members.items()}

    @staticmethod
    def some(data, rows):
        return data.draw(st.sampled_from(sorted(rows))) if rows else None

    def trying(self, values, which, function, *arguments, **named):
        """Return what the function returns if nobody else has any of the values, otherwise None."""
        others = [other for owner, other in self.live.items() if owner != which]
        taken = {
            name
            for name, (_, key) in self.kind.members.items()
            if values[name] is not None and key(values[name]) in [key(other[name]) for other in others]
        }
        if not taken:
            return self.service(function, self.service, *arguments, **named)
        with pytest.raises(Conflict) as refused:
            self.service(function, self.service, *arguments, **named)
        said = " ".join(map(str, refused.value.errors or [refused.value]))
        assert set(re.findall(r"has this (\w+)\.", said.lower())) == taken
        return None


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_taken_and_freed_as_in_the_model(service, kind):
    run_state_machine_as_test(
        lambda: Model(service, KINDS[kind]),
        settings=settings(max_examples=examples(10), stateful_step_count=15, deadline=None),
    )
