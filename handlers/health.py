from services import health


def get_liveness():
    return {"status": "ok"}


def get_readiness(session, health_checks):
    return health.check(session, health_checks)
