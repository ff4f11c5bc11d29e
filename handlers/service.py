from services import health


def get_index(about):
    return about


def get_liveness():
    return {"status": "ok"}


def get_metrics(metrics):
    return metrics.exposition()


def get_metrics_history(metrics):
    return metrics.last_hour()


def get_readiness(session, checks):
    return health.check(session, checks)
