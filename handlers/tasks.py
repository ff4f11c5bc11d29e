from services import tasks


def list_tasks(session, cursors, caller, page, per_page, cursor=None, status=None, due_before=None):
    query = {"page": page, "per_page": per_page, "cursor": cursor, "status": status, "due_before": due_before}
    return tasks.find(session, cursors, caller, **query)


def create_task(session, caller, body):
    return tasks.create(session, caller.id, **body)


def get_task(session, caller, task_id):
    return tasks.get(session, caller, task_id)


def replace_task(session, caller, task_id, body):
    return tasks.update(session, caller.id, task_id, **body)


def update_task(session, caller, task_id, body):
    return tasks.update(session, caller.id, task_id, **body)


def set_task_status(session, caller, task_id, body):
    return tasks.update(session, caller.id, task_id, **body)


def delete_task(session, caller, task_id):
    tasks.delete(session, caller, task_id)
