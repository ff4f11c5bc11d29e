"""Customers. E-mail addresses and phone numbers are unique among live customers."""

from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from accord.errors import require, taken_conflict, without_pointers
from accord.storage.files import FileStorage, Upload
from db.columns import new_id, utc_now
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Customer, Photo
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.rows import assign, flush_unique, load_deleted, load_live
from db.text import casefold
from services import customer_photos

_UNIQUE = {
    "email": ("uq_customers_email_key", Customer.email_key),
    "phone": ("uq_customers_phone", Customer.phone),
}


def _select_customer(customer: Any) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of customers with their photos, from the table or an alias of a part of it."""
    columns = (
        customer.id,
        customer.name,
        customer.location,
        customer.email,
        customer.phone,
        customer.created_at,
        customer.updated_at,
    )
    photo_columns = (
        getattr(Photo, name).label(f"photo__{name}") for name in ("media_type", "bytes", "width", "height")
    )
    return select(*columns, *photo_columns).outerjoin(Photo, Photo.customer_id == customer.id)


_CUSTOMER = prepare(_select_customer(Customer).where(Customer.id == bindparam("id"), Customer.deleted_at.is_(None)))
_EXISTS = prepare(select(Customer.id).where(Customer.id == bindparam("id"), Customer.deleted_at.is_(None)))
_FILTERS = {"location": Customer.location_key, "word": contains(Customer.search)}
_CUSTOMERS = ListQuery(Customer, _select_customer, _FILTERS, {"name": "name_key"})


def find(
    session: Session,
    cursors: CursorSigner,
    *,
    sort: str,
    page: int,
    per_page: int,
    cursor: str | None = None,
    location: str | None = None,
    q: str | None = None,
) -> Page:
    """Return a page of the customers that match all filters: page number *page*, or the page after *cursor*."""
    query = {"sort": sort, "location": location, "q": q}
    values = filter_values(location=None if location is None else casefold(location), word=search_patterns(q))
    result = _CUSTOMERS.find(session, cursors, values, query, page=page, per_page=per_page, cursor=cursor)
    result["items"] = [_with_photo(customer) for customer in result["items"]]
    return result


def get(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Return the customer, whose `photo` may be None; raises NotFound."""
    return _with_photo(require("customer", _CUSTOMER.first(session, id=customer_id)))


def exists(session: Session, customer_id: UUID) -> bool:
    """Return whether there is a live customer with this id."""
    return _EXISTS.first(session, id=customer_id) is not None


def create(
    session: Session, file_storage: FileStorage, *, photo: Upload | None = None, **members: Any
) -> dict[str, Any]:
    """Create a customer; raises Conflict if a unique member is taken, and Invalid for a damaged photo."""
    new_photo = customer_photos.make(session, file_storage, photo) if photo else None
    customer = Customer(**{"id": new_id(), **members}, photo=new_photo)
    session.add(customer)
    _flush(session, customer)
    customer_photos.record_photo_change(session, customer.id, None, new_photo)
    return _with_photo(_CUSTOMER.all(session, id=customer.id)[0])


def update(session: Session, customer_id: UUID, **changes: Any) -> dict[str, Any]:
    """Change members of the customer; raises NotFound, and Conflict if a unique member is taken."""
    customer = _load(session, customer_id)
    assign(customer, changes)
    _flush(session, customer)
    return get(session, customer_id)


def delete(session: Session, customer_id: UUID) -> None:
    """Delete the customer, so that it can be restored; raises NotFound."""
    _load(session, customer_id).deleted_at = utc_now()
    session.flush()


def restore(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Restore the deleted customer; raises NotFound, and Conflict if a unique member is taken by now."""
    customer = require("deleted customer", load_deleted(session, Customer, customer_id))
    customer.deleted_at = None
    with without_pointers():
        _flush(session, customer)
    return get(session, customer_id)


def _with_photo(customer: dict[str, Any]) -> dict[str, Any]:
    """Return the customer with None instead of a photo whose members are all NULL, as the outer join has it."""
    photo = customer["photo"]
    return customer | {"photo": photo if photo["media_type"] else None}


def _load(session: Session, customer_id: UUID) -> Customer:
    return require("customer", load_live(session, Customer, customer_id))


def _flush(session: Session, customer: Customer) -> None:
    """Flush the customer with its search columns; raises Conflict with an error for each taken member."""
    customer.name_key = casefold(customer.name)
    customer.email_key = casefold(customer.email)
    customer.location_key = None if customer.location is None else casefold(customer.location)
    customer.search = casefold(f"{customer.name}\n{customer.email}")
    flush_unique(session, {"": customer}, _UNIQUE, partial(taken_conflict, "customer"))
