from services import health


def get_index(service_info):
    return service_info


def get_liveness():
    return {"status": "ok"}


def get_metrics(metrics):
    return metrics.exposition()


def get_metrics_history(metrics):
    return metrics.history()


def get_readiness(session, health_checks):
    return health.check(session, health_checks)
