"""Whatever is ordered, cancelled and restocked in whatever order: no unit of stock comes from nowhere or is lost."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from accord.errors import Conflict, Invalid, NotFound
from db.columns import new_id
from db.models import Order, Product
from services import categories, orders, products
from tests.support.examples import examples

PRICES = [Decimal("0.10"), Decimal("50.00"), Decimal("32999.00")]
FOLLOWING = {"pending": {"paid", "cancelled"}, "paid": {"shipped", "cancelled"}, "shipped": {"delivered"}}
STATUSES = ["pending", "paid", "shipped", "delivered", "cancelled"]

baskets = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def owner_id(service):
    return service.register().id


def new_shop(session, stock):
    """Three products that nobody else orders."""
    category_id = categories.create(session, name=f"Category {new_id()}", description=None).id
    made = [
        products.create(
            session, sku=f"M-{new_id().hex[-20:].upper()}", name="Pencil", description=None, price=price,
            stock=stock, category_id=category_id, tags=[],
        )
        for price in PRICES
    ]  # fmt: skip
    return session.scalars(select(Product.id).where(Product.sku.in_([product["sku"] for product in made]))
                           .order_by(Product.price)).all()  # fmt: skip


def shelves(session, ids):
    found = session.scalars(select(Product).where(Product.id.in_(ids)).order_by(Product.price))
    return [(product.stock, product.units_sold) for product in found]


class Shop(RuleBasedStateMachine):
    def __init__(self, service, owner_id):
        super().__init__()
        self.service, self.owner_id = service, owner_id
        self.stock = [6, 6, 6]
        self.ids = service(new_shop, 6)
        self.placed = {}
        self.withdrawn = set()

    @rule(basket=baskets)
    def place(self, basket):
        wanted = Counter()
        for product, quantity in basket:
            wanted[product] += quantity
        items = [{"product_id": self.ids[product], "quantity": quantity} for product, quantity in basket]
        wrong = {product: "quantity" for product, units in wanted.items() if units > self.stock[product]}
        wrong |= dict.fromkeys(self.withdrawn & wanted.keys(), "product_id")
        if wrong:
            with pytest.raises(Invalid if "product_id" in wrong.values() else Conflict) as refused:
                self.service(orders.place, self.owner_id, items=items)
            assert {error.pointer for error in refused.value.errors} == {
                f"/items/{position}/{wrong[product]}"
                for position, (product, _) in enumerate(basket)
                if product in wrong
            }
            return
        order = self.service(orders.place, self.owner_id, items=items)
        assert order["total"] == sum(PRICES[product] * units for product, units in wanted.items())
        for product, units in wanted.items():
            self.stock[product] -= units
        self.placed[order["id"]] = ["pending", wanted]

    @rule(data=st.data(), status=st.sampled_from(STATUSES))
    def set_status(self, data, status):
        if not self.placed:
            return
        order_id = data.draw(st.sampled_from(list(self.placed)))
        before, wanted = self.placed[order_id]
        if status not in FOLLOWING.get(before, ()):
            with pytest.raises(Conflict, match=f"{before} cannot change to {status}"):
                self.service(orders.set_status, self.owner_id, order_id, status)
            return
        assert self.service(orders.set_status, self.owner_id, order_id, status)["status"] == status
        self.placed[order_id][0] = status
        if status == "cancelled":
            for product, units in wanted.items():
                self.stock[product] += units

    @rule(product=st.integers(0, 2), units=st.integers(0, 9))
    def restock(self, product, units):
        if product in self.withdrawn:
            with pytest.raises(NotFound):
                self.service(products.update, self.ids[product], stock=units)
            return
        self.service(products.update, self.ids[product], stock=units)
        self.stock[product] = units

    @rule(product=st.integers(0, 2))
    def withdraw_or_bring_back(self, product):
        self.service(products.restore if product in self.withdrawn else products.delete, self.ids[product])
        self.withdrawn ^= {product}

    @invariant()
    def every_unit_is_somewhere(self):
        sold = Counter()
        for status, wanted in self.placed.values():
            sold += wanted if status != "cancelled" else Counter()
        assert self.service(shelves, self.ids) == [(self.stock[n], sold[n]) for n in range(3)]


@pytest.mark.hypothesis
def test_no_unit_of_stock_is_lost_or_made(service, owner_id):
    run_state_machine_as_test(
        lambda: Shop(service, owner_id),
        settings=settings(max_examples=examples(12), stateful_step_count=20, deadline=None,
                          suppress_health_check=[HealthCheck.too_slow]),
    )  # fmt: skip
    numbers = service(lambda session: session.scalars(select(Order.number).order_by(Order.number)).all())
    assert [int(number.partition("-")[2]) for number in numbers] == [*range(1, len(numbers) + 1)]


def test_placed_order_is_represented_as_it_is_read(service, owner_id):
    ids = service(new_shop, 9)
    items = [{"product_id": ids[n], "quantity": quantity} for n, quantity in ((2, 1), (0, 3), (2, 2))]
    placed = service(orders.place, owner_id, items=items, note="Ring twice.")
    assert placed == service(orders.get, owner_id, placed["id"])
