"""Photos of customers: a row for each photo, and a file in the storage."""

from mimetypes import guess_extension
from uuid import UUID

from sqlalchemy.orm import Session

from accord.errors import Invalid, NotFound, require
from accord.storage.files import Download, FileStorage, Upload
from accord.storage.images import ImageError, image_size
from db.change_tracking import record_change
from db.columns import utc_now
from db.models import Customer, Photo
from db.rows import load_live
from db.unit_of_work import run_in_thread


def make(session: Session, file_storage: FileStorage, upload: Upload) -> Photo:
    """Store the upload and return a Photo without a customer; raises Invalid for a broken or too large image."""
    try:
        width, height = run_in_thread(image_size, upload.file, upload.media_type)
    except ImageError as error:
        raise Invalid(str(error), pointer="/photo") from error
    stored = file_storage.save(session, upload.file)
    return Photo(
        storage_key=stored.storage_key,
        media_type=upload.media_type,
        bytes=stored.size,
        sha256=stored.sha256,
        width=width,
        height=height,
    )


def replace(session: Session, file_storage: FileStorage, customer_id: UUID, *, photo: Upload) -> None:
    """Give the customer this photo; raises Invalid as `make` does, and NotFound."""
    new_photo = make(session, file_storage, photo)
    customer = _load_customer(session, customer_id)
    if customer.photo:
        file_storage.delete(session, customer.photo.storage_key)
    _set_photo(session, customer, new_photo)


def delete(session: Session, file_storage: FileStorage, customer_id: UUID) -> None:
    """Delete the photo of the customer; raises NotFound if the customer has none."""
    customer = _load_customer(session, customer_id)
    file_storage.delete(session, _require_photo(customer).storage_key)
    _set_photo(session, customer, None)


def download(session: Session, file_storage: FileStorage, customer_id: UUID) -> Download:
    """Return the content of the photo; raises NotFound if the customer has none."""
    photo = _require_photo(_load_customer(session, customer_id))
    return file_storage.download(photo, f"photo{guess_extension(photo.media_type)}")


def record_photo_change(session: Session, customer_id: UUID, before: Photo | None, after: Photo | None) -> None:
    """Record a changed photo of a customer in the audit log, which has the SHA-256 of photos."""
    record_change(session, Customer, customer_id, {"photo": (_sha256(before), _sha256(after))})


def _load_customer(session: Session, customer_id: UUID) -> Customer:
    return require("customer", load_live(session, Customer, customer_id))


def _require_photo(customer: Customer) -> Photo:
    if customer.photo is None:
        raise NotFound("The customer has no photo.")
    return customer.photo


def _set_photo(session: Session, customer: Customer, photo: Photo | None) -> None:
    before = customer.photo
    # The new time of change updates the row of the customer, so that its version detects concurrent requests.
    customer.photo = photo
    customer.updated_at = utc_now()
    session.flush()
    record_photo_change(session, customer.id, before, photo)


def _sha256(photo: Photo | None) -> str | None:
    return photo.sha256 if photo else None
