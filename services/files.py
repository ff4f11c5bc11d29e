"""Documents and pictures of users."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from accord.errors import NotFound
from accord.storage.files import Download, FileStorage, Upload
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import File, User
from db.pagination import Page
from db.prepared import prepare
from db.text import casefold
from db.types import Identifier

_MAX_NAME_LENGTH = File.name.type.length
_DEFAULT_NAME = "file"


def _select_file(file: Any) -> Select[*tuple[Any, ...]]:
    """Select the files of the table, or of a part of it, each with its owner."""
    own = (file.id, file.name, file.media_type, file.bytes, file.sha256, file.description,
           file.created_at, file.updated_at)  # fmt: skip
    owner = (User.id.label("owner__id"), User.username.label("owner__username"))
    return select(*own, *owner).join(User, User.id == file.owner_id)


_FILE = prepare(
    _select_file(File).where(
        File.id == bindparam("id"),
        File.owner_id == func.coalesce(bindparam("owner_id", type_=Identifier()), File.owner_id),
    )
)
_FILTERS = {"owner": File.owner_id, "media_type": File.media_type, "word": contains(File.name_key)}
_FILES = ListQuery(File, _select_file, _FILTERS)


def find(
    session: Session, owner_id: UUID | None, *, page: int, per_page: int,
    media_type: str | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    """Return a page of the files of one owner, or of all, that fit all filters; the newest come first."""
    values = filter_values(owner=owner_id, media_type=media_type, word=search_patterns(q))
    return _FILES.page(session, values, {"media_type": media_type, "q": q}, page=page, per_page=per_page)


def get(session: Session, owner_id: UUID | None, file_id: UUID) -> dict[str, Any]:
    file = _FILE.first(session, id=file_id, owner_id=owner_id)
    if file is None:
        raise _missing()
    return file


def create(
    session: Session, file_storage: FileStorage, owner_id: UUID, *, file: Upload, description: str | None = None
) -> dict[str, Any]:
    """Keep a file; it is known by its content, and its name is only what it is called."""
    stored = file_storage.save(session, file.file)
    made = File(
        **_safe_name(file.name),
        media_type=file.media_type,
        bytes=stored.size,
        sha256=stored.sha256,
        description=description,
        storage_key=stored.storage_key,
        owner_id=owner_id,
    )
    session.add(made)
    session.flush()
    return get(session, owner_id, made.id)


def update(session: Session, owner_id: UUID | None, file_id: UUID, **changes: Any) -> dict[str, Any]:
    file = _load(session, owner_id, file_id)
    if "name" in changes:
        changes |= _safe_name(changes["name"])
    for member, value in changes.items():
        setattr(file, member, value)
    session.flush()
    return get(session, owner_id, file_id)


def delete(session: Session, file_storage: FileStorage, owner_id: UUID | None, file_id: UUID) -> None:
    file = _load(session, owner_id, file_id)
    session.delete(file)
    session.flush()
    file_storage.delete(session, file.storage_key)


def download(session: Session, file_storage: FileStorage, owner_id: UUID | None, file_id: UUID) -> Download:
    file = _load(session, owner_id, file_id)
    return file_storage.open_download(file, file.name)


def _safe_name(name: str) -> dict[str, str]:
    """What is kept of a name: its last part, without what cannot be seen, and of a long one the end with its suffix."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(character for character in last if character.isprintable()).strip(" .")
    kept = seen[-_MAX_NAME_LENGTH:] or _DEFAULT_NAME
    return {"name": kept, "name_key": casefold(kept)}


def _load(session: Session, owner_id: UUID | None, file_id: UUID) -> File:
    file = session.get(File, file_id)
    if file is None or owner_id not in (None, file.owner_id):
        raise _missing()
    return file


def _missing() -> NotFound:
    return NotFound("There is no file with this id.")
