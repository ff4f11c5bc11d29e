"""Accounts: registration, log-in, log-out, sessions, and one's own user."""

from accord.identity import accounts, sessions


def register_user(session, passwords, body):
    return accounts.register(session, passwords, **body)


def log_in(session, passwords, tokens, body, user_agent=None):
    return accounts.log_in(session, passwords, tokens, **body, user_agent=user_agent)


def refresh_tokens(session, tokens, revocations, body):
    return sessions.refresh(session, tokens, revocations, **body)


def log_out(session, revocations, caller):
    sessions.revoke(session, revocations, caller.session_id)


def log_out_everywhere(session, revocations, caller):
    sessions.revoke_all(session, revocations, caller.id)


def get_me(session, caller):
    return accounts.get(session, caller.id)


def update_me(session, caller, body):
    return accounts.change(session, caller.id, **body)


def change_password(session, passwords, revocations, caller, body):
    accounts.change_password(session, passwords, revocations, caller, **body)


def list_sessions(session, caller, page, per_page):
    return sessions.find(session, caller.id, caller.session_id, page=page, per_page=per_page)


def end_session(session, revocations, caller, session_id):
    sessions.end(session, revocations, caller.id, session_id)
