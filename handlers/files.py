from accord.identity.callers import visible_owner
from services import files

_ALL_FILES = "files:all"


def list_files(session, caller, page, per_page, media_type=None, q=None):
    query = {"page": page, "per_page": per_page, "media_type": media_type, "q": q}
    return files.find(session, visible_owner(caller, _ALL_FILES), **query)


def create_file(session, file_storage, caller, body):
    return files.create(session, file_storage, caller.id, **body)


def get_file(session, caller, file_id):
    return files.get(session, visible_owner(caller, _ALL_FILES), file_id)


def update_file(session, caller, file_id, body):
    return files.update(session, visible_owner(caller, _ALL_FILES), file_id, **body)


def delete_file(session, file_storage, caller, file_id):
    files.delete(session, file_storage, visible_owner(caller, _ALL_FILES), file_id)


def get_file_content(session, file_storage, caller, file_id):
    return files.download(session, file_storage, visible_owner(caller, _ALL_FILES), file_id)
