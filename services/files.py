"""Files that users upload: documents and images."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from accord.errors import require
from accord.identity.callers import Everyone, owned_by, owner_filter
from accord.storage.files import Download, FileStorage, Upload
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import File, User
from db.pagination import Page
from db.prepared import prepare
from db.rows import assign, load_live
from db.text import casefold

_MAX_NAME_LENGTH = File.name.type.length
_DEFAULT_NAME = "file"


def _select_file(file: Any) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of files with their owners, from the table or an alias of a part of it."""
    columns = (
        file.id,
        file.name,
        file.media_type,
        file.bytes,
        file.sha256,
        file.description,
        file.created_at,
        file.updated_at,
    )
    owner_columns = (User.id.label("owner__id"), User.username.label("owner__username"))
    return select(*columns, *owner_columns).join(User, User.id == file.owner_id)


_FILE = prepare(_select_file(File).where(File.id == bindparam("id")))
_FILTERS = {"owner": File.owner_id, "media_type": File.media_type, "word": contains(File.name_key)}
_FILES = ListQuery(File, _select_file, _FILTERS)


def find(
    session: Session,
    owner: UUID | Everyone,
    *,
    page: int,
    per_page: int,
    media_type: str | None = None,
    q: str | None = None,
) -> Page:
    """Return a page of the files of *owner* that match all filters, newest first."""
    values = filter_values(media_type=media_type, word=search_patterns(q)) | owner_filter("owner", owner)
    return _FILES.page(session, values, {"media_type": media_type, "q": q}, page=page, per_page=per_page)


def get(session: Session, owner: UUID | Everyone, file_id: UUID) -> dict[str, Any]:
    """Return the file if it belongs to *owner*; raises NotFound."""
    file = _FILE.first(session, id=file_id)
    return require("file", file if file and owned_by(file["owner"]["id"], owner) else None)


def create(
    session: Session, file_storage: FileStorage, owner_id: UUID, *, file: Upload, description: str | None = None
) -> dict[str, Any]:
    """Store an upload and return its file. The media type comes from the content, not from the name."""
    stored = file_storage.save(session, file.file)
    new_file = File(
        **_safe_name(file.name),
        media_type=file.media_type,
        bytes=stored.size,
        sha256=stored.sha256,
        description=description,
        storage_key=stored.storage_key,
        owner_id=owner_id,
    )
    session.add(new_file)
    session.flush()
    return _FILE.all(session, id=new_file.id)[0]


def update(session: Session, owner: UUID | Everyone, file_id: UUID, **changes: Any) -> dict[str, Any]:
    """Change members of the file if it belongs to *owner*; raises NotFound."""
    file = _load(session, owner, file_id)
    if "name" in changes:
        changes |= _safe_name(changes["name"])
    assign(file, changes)
    session.flush()
    return get(session, owner, file_id)


def delete(session: Session, file_storage: FileStorage, owner: UUID | Everyone, file_id: UUID) -> None:
    """Delete the file, and its content after the commit, if it belongs to *owner*; raises NotFound."""
    file = _load(session, owner, file_id)
    session.delete(file)
    session.flush()
    file_storage.delete(session, file.storage_key)


def download(session: Session, file_storage: FileStorage, owner: UUID | Everyone, file_id: UUID) -> Download:
    """Return the content of the file if it belongs to *owner*; raises NotFound."""
    file = _load(session, owner, file_id)
    return file_storage.download(file, file.name)


def _safe_name(name: str) -> dict[str, str]:
    """Return the columns of a name: the last part of a path, printable, cut at the front so that the suffix stays."""
    last_part = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last_part if character.isprintable()).strip(" .")
    safe_name = printable[-_MAX_NAME_LENGTH:] or _DEFAULT_NAME
    return {"name": safe_name, "name_key": casefold(safe_name)}


def _load(session: Session, owner: UUID | Everyone, file_id: UUID) -> File:
    file = load_live(session, File, file_id)
    return require("file", file if file and owned_by(file.owner_id, owner) else None)
