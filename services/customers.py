"""The people a shop deals with."""

from collections.abc import Mapping, Sequence
from mimetypes import guess_extension
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accord.errors import Conflict, NotFound, without_pointers
from accord.storage import images
from accord.storage.files import Download, FileStorage, Upload
from db.change_tracking import record_change
from db.columns import utc_now
from db.errors import violated_constraint
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Customer, Photo
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.text import casefold

_UNIQUE = {"uq_customers_email_key": "email", "uq_customers_phone": "phone"}
_KEYS = {"email": Customer.email_key, "phone": Customer.phone}


def _select_customer(customer: Any) -> Select[*tuple[Any, ...]]:
    """Select the customers of the table, or of a part of it, each with its photo."""
    own = (customer.id, customer.name, customer.location, customer.email, customer.phone,
           customer.created_at, customer.updated_at)  # fmt: skip
    photo = (getattr(Photo, name).label(f"photo__{name}") for name in ("media_type", "bytes", "width", "height"))
    return select(*own, *photo).outerjoin(Photo, Photo.customer_id == customer.id)


_CUSTOMER = prepare(_select_customer(Customer).where(Customer.id == bindparam("id"), Customer.deleted_at.is_(None)))
_FILTERS = {"location": Customer.location_key, "word": contains(Customer.search)}
_CUSTOMERS = ListQuery(Customer, _select_customer, _FILTERS, {"name": "name_key"})


def find(
    session: Session, cursors: CursorSigner, *, sort: str, page: int, per_page: int, cursor: str | None = None,
    location: str | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    """Return a page of the customers that fit all filters: page number *page*, or the one after *cursor*."""
    query = {"sort": sort, "location": location, "q": q}
    values = filter_values(location=location and casefold(location), word=search_patterns(q))
    found = _CUSTOMERS.find(session, cursors, values, query, page=page, per_page=per_page, cursor=cursor)
    return found | {"items": [_with_photo(customer) for customer in found["items"]]}


def get(session: Session, customer_id: UUID) -> dict[str, Any]:
    customer = _CUSTOMER.first(session, id=customer_id)
    if customer is None:
        raise NotFound("There is no customer with this id.")
    return _with_photo(customer)


def exists(session: Session, customer_id: UUID) -> bool:
    return _CUSTOMER.first(session, id=customer_id) is not None


def create(
    session: Session, file_storage: FileStorage, *, photo: Upload | None = None, **members: Any
) -> dict[str, Any]:
    customer = Customer(**members, photo=photo and images.make(session, file_storage, photo))
    session.add(customer)
    _flush(session, customer)
    record_change(session, Customer, customer.id, {"photo": (None, _hash(customer.photo))})
    return get(session, customer.id)


def update(session: Session, customer_id: UUID, **changes: Any) -> dict[str, Any]:
    """Change some members of the customer, and leave the others as they are."""
    customer = _load(session, customer_id)
    for name, value in changes.items():
        setattr(customer, name, value)
    _flush(session, customer)
    return get(session, customer_id)


def delete(session: Session, customer_id: UUID) -> None:
    _load(session, customer_id).deleted_at = utc_now()
    session.flush()


def restore(session: Session, customer_id: UUID) -> dict[str, Any]:
    customer = session.get(Customer, customer_id)
    if customer is None or customer.deleted_at is None:
        raise NotFound("There is no deleted customer with this id.")
    customer.deleted_at = None
    with without_pointers():
        _flush(session, customer)
    return get(session, customer_id)


def replace_photo(session: Session, file_storage: FileStorage, customer_id: UUID, *, photo: Upload) -> None:
    made = images.make(session, file_storage, photo)
    customer = _load(session, customer_id)
    if customer.photo:
        file_storage.delete(session, customer.photo.storage_key)
    _show(session, customer, made)


def delete_photo(session: Session, file_storage: FileStorage, customer_id: UUID) -> None:
    customer = _load(session, customer_id)
    file_storage.delete(session, _photo(customer).storage_key)
    _show(session, customer, None)


def photo(session: Session, file_storage: FileStorage, customer_id: UUID) -> Download:
    kept = _photo(_load(session, customer_id))
    return file_storage.open_download(kept, f"photo{guess_extension(kept.media_type)}")


def _photo(customer: Customer) -> Photo:
    if customer.photo is None:
        raise NotFound("The customer has no photo.")
    return customer.photo


def _show(session: Session, customer: Customer, photo: Photo | None) -> None:
    """Give the customer a photo or none; of two that do so at once, the version of the customer tells the second."""
    before = customer.photo
    customer.photo, customer.updated_at = photo, utc_now()
    session.flush()
    record_change(session, Customer, customer.id, {"photo": (_hash(before), _hash(photo))})


def _hash(photo: Photo | None) -> str | None:
    return photo.sha256 if photo else None


def _with_photo(customer: dict[str, Any]) -> dict[str, Any]:
    """Say None for the photo that an outer join did not find."""
    photo = customer["photo"]
    return customer | {"photo": photo if photo["media_type"] else None}


def _load(session: Session, customer_id: UUID) -> Customer:
    customer = session.get(Customer, customer_id)
    if customer is None or customer.deleted_at is not None:
        raise NotFound("There is no customer with this id.")
    return customer


def _flush(session: Session, customer: Customer) -> None:
    """Write the customer, with what it is found by; raises Conflict that names each member that another one has."""
    customer.name_key, customer.email_key = casefold(customer.name), casefold(customer.email)
    customer.location_key = None if customer.location is None else casefold(customer.location)
    customer.search = casefold(f"{customer.name}\n{customer.email}")
    found = {member: getattr(customer, key.key) for member, key in _KEYS.items()}
    customer_id, wanted = customer.id, {member: value for member, value in found.items() if value is not None}
    try:
        session.flush()
    except IntegrityError as error:
        member = _UNIQUE.get(violated_constraint(error))
        if member is None:
            raise
        # The unit of work has failed; without what it wrote, what others have is left.
        session.rollback()
        raise _conflict(member, _find_taken(session, customer_id, wanted)) from error


def _conflict(member: str, taken: Sequence[str]) -> Conflict:
    # Who had it may be gone by now.
    faults = [Conflict(f"Another customer has this {name}.", pointer=f"/{name}") for name in taken or [member]]
    return faults[0] if len(faults) == 1 else Conflict(str(faults[0]), errors=faults)


def _find_taken(session: Session, customer_id: UUID | None, wanted: Mapping[str, str]) -> list[str]:
    """Return the members of which another customer has what is wanted."""
    others = select(Customer.id).where(Customer.deleted_at.is_(None), Customer.id != customer_id)
    return [name for name, value in wanted.items() if session.scalars(others.where(_KEYS[name] == value)).first()]
