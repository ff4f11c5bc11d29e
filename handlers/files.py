from accord.identity.callers import only_of
from services import files

_EVERYBODYS = "files:all"


def list_files(session, caller, page, per_page, media_type=None, q=None):
    asked = {"page": page, "per_page": per_page, "media_type": media_type, "q": q}
    return files.find(session, only_of(caller, _EVERYBODYS), **asked)


def create_file(session, storage, caller, body):
    return files.create(session, storage, caller.id, **body)


def get_file(session, caller, file_id):
    return files.get(session, only_of(caller, _EVERYBODYS), file_id)


def update_file(session, caller, file_id, body):
    return files.update(session, only_of(caller, _EVERYBODYS), file_id, **body)


def delete_file(session, storage, caller, file_id):
    files.delete(session, storage, only_of(caller, _EVERYBODYS), file_id)


def get_file_content(session, storage, caller, file_id):
    return files.content(session, storage, only_of(caller, _EVERYBODYS), file_id)
