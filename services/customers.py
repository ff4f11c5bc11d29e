"""The people a shop deals with."""

from functools import partial
from mimetypes import guess_extension
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from accord.errors import NotFound, require, taken_conflict, without_pointers
from accord.storage import images
from accord.storage.files import Download, Storage, Upload
from db.change_tracking import noted
from db.columns import new_id, now
from db.list_query import Listing, bound, found_in, words
from db.models import Customer, Photo
from db.pagination import Cursors, Page
from db.prepared import compiled
from db.rows import assign, flush_unique, load_deleted, load_live
from db.text import fold

_UNIQUE = {
    "email": ("uq_customers_email_key", Customer.email_key),
    "phone": ("uq_customers_phone", Customer.phone),
}


def _shown(customer: Any) -> Select[*tuple[Any, ...]]:
    """Select the customers of the table, or of a part of it, each with its photo."""
    own = (customer.id, customer.name, customer.location, customer.email, customer.phone,
           customer.created_at, customer.updated_at)  # fmt: skip
    photo = (getattr(Photo, name).label(f"photo__{name}") for name in ("media_type", "bytes", "width", "height"))
    return select(*own, *photo).outerjoin(Photo, Photo.customer_id == customer.id)


_CUSTOMER = compiled(_shown(Customer).where(Customer.id == bindparam("id"), Customer.deleted_at.is_(None)))
_FILTERS = {"location": Customer.location_key, "word": found_in(Customer.search)}
_CUSTOMERS = Listing(Customer, _shown, _FILTERS, {"name": "name_key"})


def find(
    session: Session, cursors: Cursors, *, sort: str, page: int, per_page: int, cursor: str | None = None,
    location: str | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    """Return a page of the customers that fit all filters: page number *page*, or the one after *cursor*."""
    query = {"sort": sort, "location": location, "q": q}
    values = bound(location=location and fold(location), word=words(q))
    found = _CUSTOMERS.find(session, cursors, values, query, page=page, per_page=per_page, cursor=cursor)
    return found | {"items": [_with_photo(customer) for customer in found["items"]]}


def get(session: Session, customer_id: UUID) -> dict[str, Any]:
    return _with_photo(require("customer", _CUSTOMER.first(session, id=customer_id)))


def exists(session: Session, customer_id: UUID) -> bool:
    return _CUSTOMER.first(session, id=customer_id) is not None


def create(session: Session, storage: Storage, *, photo: Upload | None = None, **members: Any) -> dict[str, Any]:
    customer = Customer(id=new_id(), **members, photo=photo and images.make(session, storage, photo))
    session.add(customer)
    _flush(session, customer)
    noted(session, Customer, customer.id, {"photo": (None, _hash(customer.photo))})
    return get(session, customer.id)


def update(session: Session, customer_id: UUID, **changes: Any) -> dict[str, Any]:
    """Change some members of the customer, and leave the others as they are."""
    customer = _load(session, customer_id)
    assign(customer, changes)
    _flush(session, customer)
    return get(session, customer_id)


def delete(session: Session, customer_id: UUID) -> None:
    _load(session, customer_id).deleted_at = now()
    session.flush()


def restore(session: Session, customer_id: UUID) -> dict[str, Any]:
    customer = require("deleted customer", load_deleted(session, Customer, customer_id))
    customer.deleted_at = None
    with without_pointers():
        _flush(session, customer)
    return get(session, customer_id)


def replace_photo(session: Session, storage: Storage, customer_id: UUID, *, photo: Upload) -> None:
    made = images.make(session, storage, photo)
    customer = _load(session, customer_id)
    if customer.photo:
        storage.drop(session, customer.photo.stored_as)
    _show(session, customer, made)


def delete_photo(session: Session, storage: Storage, customer_id: UUID) -> None:
    customer = _load(session, customer_id)
    storage.drop(session, _photo(customer).stored_as)
    _show(session, customer, None)


def photo(session: Session, storage: Storage, customer_id: UUID) -> Download:
    kept = _photo(_load(session, customer_id))
    return storage.download(kept, f"photo{guess_extension(kept.media_type)}")


def _photo(customer: Customer) -> Photo:
    if customer.photo is None:
        raise NotFound("The customer has no photo.")
    return customer.photo


def _show(session: Session, customer: Customer, photo: Photo | None) -> None:
    """Give the customer a photo or none; of two that do so at once, the version of the customer tells the second."""
    before = customer.photo
    customer.photo, customer.updated_at = photo, now()
    session.flush()
    noted(session, Customer, customer.id, {"photo": (_hash(before), _hash(photo))})


def _hash(photo: Photo | None) -> str | None:
    return photo.sha256 if photo else None


def _with_photo(customer: dict[str, Any]) -> dict[str, Any]:
    """Say None for the photo that an outer join did not find."""
    photo = customer["photo"]
    return customer | {"photo": photo if photo["media_type"] else None}


def _load(session: Session, customer_id: UUID) -> Customer:
    return require("customer", load_live(session, Customer, customer_id))


def _flush(session: Session, customer: Customer) -> None:
    """Write the customer, with what it is found by; raises Conflict that names each member that another one has."""
    customer.name_key, customer.email_key = fold(customer.name), fold(customer.email)
    customer.location_key = None if customer.location is None else fold(customer.location)
    customer.search = fold(f"{customer.name}\n{customer.email}")
    flush_unique(session, {"": customer}, _UNIQUE, partial(taken_conflict, "customer"))
