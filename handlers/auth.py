"""Accounts: registration, log-in, log-out, sessions, and one's own user."""

from accord.identity import accounts, sessions


def register_user(session, password_hasher, body):
    return accounts.register(session, password_hasher, **body)


def log_in(session, password_hasher, access_tokens, body, user_agent=None):
    return accounts.log_in(session, password_hasher, access_tokens, **body, user_agent=user_agent)


def refresh_tokens(session, access_tokens, revocation_list, body):
    return sessions.refresh(session, access_tokens, revocation_list, **body)


def log_out(session, revocation_list, caller):
    sessions.revoke(session, revocation_list, caller.session_id)


def log_out_all_sessions(session, revocation_list, caller):
    sessions.revoke_all(session, revocation_list, caller.id)


def get_me(session, caller):
    return accounts.get_profile(session, caller.id)


def update_me(session, caller, body):
    return accounts.update_profile(session, caller.id, **body)


def change_password(session, password_hasher, revocation_list, caller, body):
    accounts.change_password(session, password_hasher, revocation_list, caller, **body)


def list_sessions(session, caller, page, per_page):
    return sessions.find(session, caller.id, caller.session_id, page=page, per_page=per_page)


def revoke_session(session, revocation_list, caller, session_id):
    sessions.revoke_own(session, revocation_list, caller.id, session_id)
