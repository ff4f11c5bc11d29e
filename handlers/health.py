from services import health


def get_liveness():
    return {"status": "ok"}


def get_readiness(session, checks):
    return health.check(session, checks)
